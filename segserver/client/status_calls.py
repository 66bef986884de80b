"""The call about the server itself; see :mod:`segserver.client.calls`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from segserver.client.calls import Call
from segserver.v1 import status_service_pb2 as pb
from segserver.wire import timestamp_from_proto


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that does not work now: ``store``, ``catalog``, ``log`` or ``keys``, and why."""

    component: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a worker, or one distribution: ``value`` is its sum then, and ``buckets`` count what lies
    between the ``bounds``.
    """

    name: str
    labels: Mapping[str, str]
    value: float
    buckets: tuple[int, ...]
    bounds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One process of the server."""

    worker: int
    """From 1; 0 for a server of a single process."""
    pid: int
    version: str
    start_time: dt.datetime
    report_time: dt.datetime
    restarts: int
    catalog_version: int
    catalog_digest: str
    troubles: tuple[Trouble, ...]
    measures: tuple[Measure, ...]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the measures of a name that have these labels; 0 without any."""
        return sum((m.value for m in self.measures if m.name == name and _fits(m, labels)), 0.0)


def quantile(measures: tuple[Measure, ...], share: float) -> float | None:
    """The upper bound of the bucket in which this share of everything measured lies; infinity above the last
    bound, ``None`` when nothing was measured.
    """
    buckets = [sum(counts) for counts in zip(*(m.buckets for m in measures), strict=True)]
    total = sum(buckets)
    if not total:
        return None
    place = next(n for n, count in enumerate(accumulate(buckets)) if count >= share * total)
    bounds = (*measures[0].bounds, float("inf"))
    return bounds[place]


def status() -> Call[tuple[WorkerStatus, ...]]:
    """How each worker of the server is."""
    return Call(
        "segserver.v1.StatusService", "GetStatus", pb.GetStatusRequest(), pb.GetStatusResponse, _workers
    )


def _workers(reply: Any) -> tuple[WorkerStatus, ...]:
    return tuple(
        WorkerStatus(
            worker.worker,
            worker.pid,
            worker.version,
            timestamp_from_proto(worker.start_time),
            timestamp_from_proto(worker.report_time),
            worker.restarts,
            worker.catalog_version,
            worker.catalog_digest,
            tuple(Trouble(t.component, t.reason, t.message) for t in worker.troubles),
            tuple(
                Measure(m.name, dict(m.labels), m.value, tuple(m.buckets), tuple(m.bounds))
                for m in worker.measures
            ),
        )
        for worker in reply.workers
    )


def _fits(measure: Measure, labels: Mapping[str, str]) -> bool:
    return all(measure.labels.get(name) == value for name, value in labels.items())
