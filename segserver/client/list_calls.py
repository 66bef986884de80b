"""The calls about lists of subjects; see :mod:`segserver.client.calls`."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from segserver.client.calls import Call, Stream
from segserver.client.failures import failure_error
from segserver.client.reading import read
from segserver.client.results import ListUpload, SubjectList
from segserver.v1 import profile_service_pb2 as pb
from segserver.wire import timestamp_to_proto

_PROFILE = "segserver.v1.ProfileService"
IDS_EACH = 10_000


def upload_list(
    name: str,
    ids: Iterable[str],
    owner: str = "",
    expires: dt.datetime | None = None,
    id_type: str = "customer",
) -> Stream[ListUpload]:
    """Uploads a list that the catalog declares, in place of what it was; how far it is comes after every ten
    thousand ids, and last what serves now.
    """

    def request(numbered: tuple[int, Sequence[str]]) -> pb.UploadListRequest:
        number, piece = numbered
        if number:
            return pb.UploadListRequest(ids=piece)
        return pb.UploadListRequest(
            name=name,
            owner=owner,
            expire_time=None if expires is None else timestamp_to_proto(expires, "expires"),
            id_type=id_type,
            ids=piece,
        )

    return Stream(_PROFILE, "UploadList", request, pb.UploadListResponse, _progress, enumerate(_pieces(ids)))


def lists() -> Call[tuple[SubjectList, ...]]:
    """The lists that were uploaded, expired ones too."""
    return Call(
        _PROFILE,
        "ListLists",
        pb.ListListsRequest(),
        pb.ListListsResponse,
        lambda reply: tuple(read(SubjectList, one) for one in reply.lists),
    )


def delete_list(name: str) -> Call[None]:
    """Lets a list serve no more: for rules it is unknown then."""
    return Call(
        _PROFILE,
        "DeleteList",
        pb.DeleteListRequest(name=name),
        pb.DeleteListResponse,
        _nothing,
    )


def _pieces(ids: Iterable[str]) -> Iterator[Sequence[str]]:
    """At least one piece, so that an upload of nothing says so."""
    there = iter(ids)
    yield tuple(itertools.islice(there, IDS_EACH))
    while piece := tuple(itertools.islice(there, IDS_EACH)):
        yield piece


def _progress(reply: Any) -> ListUpload:
    return ListUpload(
        reply.taken,
        reply.rejected,
        {one.index: failure_error(one.error) for one in reply.rejections},
        read(SubjectList, reply.list) if reply.HasField("list") else None,
    )


def _nothing(_: Any) -> None:
    return None
