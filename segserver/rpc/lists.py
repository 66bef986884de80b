"""Uploads of lists: requests as pieces, and what became of them as messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from segserver.config import Limits
from segserver.engine import Engine
from segserver.engine.lists import Progress, Upload
from segserver.errors import InvalidInput
from segserver.model import Caller
from segserver.rpc import convert, status
from segserver.storage.lists import ListRow
from segserver.v1 import profile_service_pb2 as pb

IDS_MAX = 10_000
"""Of one request."""


async def upload(
    engine: Engine, requests: AsyncIterator[pb.UploadListRequest], caller: Caller
) -> AsyncGenerator[pb.UploadListResponse]:
    """Takes an upload, and answers each of its requests."""
    limits = engine.config.limits
    try:
        first = await anext(requests)
    except StopAsyncIteration:
        raise InvalidInput.of("name", "name the list", reason="LIST_MISSING") from None
    if not first.name:
        raise InvalidInput.of("name", "name the list", reason="LIST_MISSING")
    what = Upload(
        name=first.name,
        owner=first.owner,
        expires_us=convert.time_us(
            first.expire_time if first.HasField("expire_time") else None, "expire_time"
        ),
        id_type=first.id_type or convert.DEFAULT_ID_TYPE,
    )
    last = Progress()
    async with aclosing(engine.lists.upload(caller, what, _pieces(first, requests, limits))) as steps:
        async for step in steps:
            if isinstance(step, Progress):
                last = step
                yield pb.UploadListResponse(taken=step.taken, rejected=step.rejected)
            else:
                yield pb.UploadListResponse(
                    taken=last.taken,
                    rejected=last.rejected,
                    rejections=[
                        pb.RejectedEvent(index=place, error=status.failure_of(error))
                        for place, error in last.reasons or ()
                    ],
                    list=shown(step),
                )


def shown(row: ListRow) -> pb.SubjectList:
    """A list as a message."""
    return pb.SubjectList(
        name=row.name,
        owner=row.owner,
        size=row.size,
        upload_time=convert.timestamp(row.uploaded_us),
        expire_time=None if row.expires_us is None else convert.timestamp(row.expires_us),
    )


async def _pieces(
    first: pb.UploadListRequest, requests: AsyncIterator[pb.UploadListRequest], limits: Limits
) -> AsyncIterator[Sequence[str]]:
    yield _checked(first, limits)
    async for request in requests:
        yield _checked(request, limits)


def _checked(request: pb.UploadListRequest, limits: Limits) -> Sequence[str]:
    if len(request.ids) > IDS_MAX:
        raise InvalidInput.of("ids", f"at most {IDS_MAX} in one request", reason="LIMIT_EXCEEDED")
    longest = limits.subject_id_bytes_max
    for number, one in enumerate(request.ids):
        if len(one) * 4 > longest and len(one.encode()) > longest:
            raise convert.too_long(f"ids[{number}]", "subject_id_bytes_max", longest)
    return request.ids
