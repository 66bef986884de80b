"""The calls about memberships; see :mod:`segserver.client.calls`."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from segserver.client.calls import Call, Listing, Stream
from segserver.client.reading import read
from segserver.client.results import Member, MembershipChange, Refreshed
from segserver.v1 import segmentation_service_pb2 as pb

_SEGMENTATION = "segserver.v1.SegmentationService"
_PAGE_SIZE = 500


def members(segment: str, purpose: str) -> Listing[Member]:
    """The members of a segment, by this caller's tokens, for a purpose whose memberships are kept."""

    def page(token: str) -> Call[tuple[tuple[Member, ...], str]]:
        return Call(
            _SEGMENTATION,
            "ListMembers",
            pb.ListMembersRequest(segment=segment, purpose=purpose, page_size=_PAGE_SIZE, page_token=token),
            pb.ListMembersResponse,
            lambda reply: (tuple(read(Member, one) for one in reply.members), reply.next_page_token),
            lasting=True,
        )

    return Listing(page)


def watch_memberships(
    purpose: str, segments: Iterable[str] = (), cursor: str = ""
) -> Stream[tuple[MembershipChange, ...]]:
    """Who enters segments and who leaves them, in lists, from ``cursor`` on (empty: from now on) until the
    iterator is closed.
    """
    return Stream(
        _SEGMENTATION,
        "WatchMemberships",
        pb.WatchMembershipsRequest(purpose=purpose, segments=list(segments), cursor=cursor),
        pb.WatchMembershipsResponse,
        lambda reply: tuple(read(MembershipChange, one) for one in reply.changes),
    )


def refresh_memberships() -> Call[Refreshed]:
    """Evaluates again everybody whose memberships can have changed."""
    return Call(
        _SEGMENTATION,
        "RefreshMemberships",
        pb.RefreshMembershipsRequest(),
        pb.RefreshMembershipsResponse,
        functools.partial(read, Refreshed),
        lasting=True,
    )
