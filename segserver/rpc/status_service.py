"""StatusService."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from segserver.model import Caller
from segserver.observe.counts import BOUNDS_S
from segserver.observe.snapshot import Snapshot
from segserver.rpc import convert
from segserver.v1 import status_service_pb2 as pb


class StatusServicer:
    """Tells how the server is."""

    def __init__(self, snapshots: Callable[[], Awaitable[Sequence[Snapshot]]]) -> None:
        self._snapshots = snapshots

    async def GetStatus(self, request: pb.GetStatusRequest, caller: Caller) -> pb.GetStatusResponse:  # noqa: ARG002, N802
        """Tells of every worker."""
        snapshots = sorted(await self._snapshots(), key=lambda snapshot: snapshot.worker)
        return pb.GetStatusResponse(workers=map(_worker, snapshots))


def _worker(snapshot: Snapshot) -> pb.WorkerStatus:
    measures = [
        pb.Measure(
            name=family.name,
            labels=sample.labels,
            value=sample.value,
            buckets=sample.buckets,
            bounds=BOUNDS_S if sample.buckets else (),
        )
        for family in snapshot.families
        for sample in family.samples
    ]
    troubles = [
        pb.Trouble(component=t.component, reason=t.reason, message=t.message) for t in snapshot.troubles
    ]
    return pb.WorkerStatus(
        worker=snapshot.worker,
        pid=snapshot.pid,
        version=snapshot.version,
        start_time=convert.timestamp(snapshot.start_us),
        report_time=convert.timestamp(snapshot.time_us),
        restarts=snapshot.restarts,
        catalog_version=snapshot.catalog_version,
        catalog_digest=snapshot.catalog_digest,
        troubles=troubles,
        measures=measures,
    )
