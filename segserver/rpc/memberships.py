"""Members and their moves as messages, and where a caller goes on."""

from __future__ import annotations

from collections.abc import Iterable

from segserver.engine.watching import Member, Move
from segserver.errors import InvalidInput
from segserver.rpc import convert
from segserver.v1 import segmentation_service_pb2 as pb

PAGE_DEFAULT, PAGE_MAX = 100, 500


def page_size(wanted: int) -> int:
    """How many members a page has."""
    return min(wanted, PAGE_MAX) if wanted > 0 else PAGE_DEFAULT


def place(text: str, field: str) -> int | None:
    """The number in a page token or cursor; ``None`` where there is none. Raises :class:`InvalidInput`."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidInput.of(
            field, "not one that this server gave; begin again without it", reason="CURSOR_MALFORMED"
        )
    return int(text)


def members(found: Iterable[Member], following: int) -> pb.ListMembersResponse:
    """A page of members."""
    return pb.ListMembersResponse(
        members=[
            pb.Member(
                subject_token=one.token, enter_time=convert.timestamp(one.entered_us), reason=one.reason
            )
            for one in found
        ],
        next_page_token=str(following) if following else "",
    )


def moves(found: Iterable[Move]) -> pb.WatchMembershipsResponse:
    """Changes, in order."""
    return pb.WatchMembershipsResponse(
        changes=[
            pb.MembershipChange(
                cursor=str(one.cursor),
                subject_token=one.token,
                segment=one.segment,
                entered=one.entered,
                change_time=convert.timestamp(one.at_us),
                reason=one.reason,
            )
            for one in found
        ]
    )
