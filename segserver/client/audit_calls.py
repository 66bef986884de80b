"""The calls about the audit log; see :mod:`segserver.client.calls`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segserver.audit.export import Record
from segserver.client.calls import Call, Listing, Subject, parse_subject
from segserver.v1 import audit_service_pb2 as pb
from segserver.v1 import value_pb2
from segserver.wire import timestamp_to_proto

_AUDIT = "segserver.v1.AuditService"


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries; empty fields ask for nothing. ``after`` is inclusive, ``before`` exclusive."""

    after: dt.datetime | None = None
    before: dt.datetime | None = None
    kinds: Sequence[str] = ()
    caller: str = ""
    purpose: str = ""
    segment: str = ""
    outcome: str = ""
    withheld_by: str = ""
    result: str = ""
    audit_token: str = ""
    subject: Subject | None = None

    def message(self) -> pb.EntryFilter:
        """The filter as a message."""
        return pb.EntryFilter(
            after=None if self.after is None else timestamp_to_proto(self.after, "after"),
            before=None if self.before is None else timestamp_to_proto(self.before, "before"),
            kinds=self.kinds,
            caller=self.caller,
            purpose=self.purpose,
            segment=self.segment,
            outcome=self.outcome,
            withheld_by=self.withheld_by,
            result=self.result,
            audit_token=self.audit_token,
            subject=_subject(self.subject),
        )


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """The newest checkpoint (an empty note for an empty log), its growth from an older size, the key."""

    note: str
    consistency: tuple[bytes, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Replay:
    """Whether an answer comes out again, what changed, and recorded and new outcomes by segment."""

    same: bool
    changes: tuple[str, ...]
    differences: Mapping[str, tuple[str, str]]


ANY_ENTRY = EntryFilter()


def audit_entries(wanted: EntryFilter = ANY_ENTRY, page_size: int = 0) -> Listing[Record]:
    """The entries that match, newest first."""

    def page(token: str) -> Call[tuple[tuple[Record, ...], str]]:
        request = pb.SearchEntriesRequest(filter=wanted.message(), page_size=page_size, page_token=token)
        return Call(_AUDIT, "SearchEntries", request, pb.SearchEntriesResponse, _records, lasting=True)

    return Listing(page)


def export_audit(wanted: EntryFilter = ANY_ENTRY) -> Listing[Record]:
    """The entries that match, oldest first, to take away."""

    def page(token: str) -> Call[tuple[tuple[Record, ...], str]]:
        request = pb.ExportEntriesRequest(filter=wanted.message(), page_token=token)
        return Call(_AUDIT, "ExportEntries", request, pb.ExportEntriesResponse, _records, lasting=True)

    return Listing(page)


def audit_entry(log_index: int) -> Call[Record]:
    """One entry."""
    return Call(
        _AUDIT,
        "GetEntry",
        pb.GetEntryRequest(log_index=log_index),
        pb.GetEntryResponse,
        lambda reply: Record(reply.entry.log_index, reply.entry.payload),
    )


def audit_stats(wanted: EntryFilter = ANY_ENTRY) -> Call[dict[str, dict[str, int]]]:
    """Numbers of entries by dimension and value."""
    return Call(
        _AUDIT,
        "GetStats",
        pb.GetStatsRequest(filter=wanted.message()),
        pb.GetStatsResponse,
        lambda reply: {name: dict(counts.values) for name, counts in reply.counts.items()},
        lasting=True,
    )


def prove_entry(log_index: int) -> Call[str]:
    """The proof file of one entry."""
    request = pb.ProveEntryRequest(log_index=log_index)
    return Call(_AUDIT, "ProveEntry", request, pb.ProveEntryResponse, lambda reply: str(reply.proof))


def prove_result(log_index: int, subject: Subject | None = None, audit_token: str = "") -> Call[str]:
    """The proof file of what the bulk evaluation of this entry answered for a subject, who is named by id or
    by its token in the log.
    """
    request = pb.ProveResultRequest(log_index=log_index, subject=_subject(subject), audit_token=audit_token)
    return Call(_AUDIT, "ProveResult", request, pb.ProveResultResponse, lambda r: str(r.proof), lasting=True)


def audit_results(
    subject: Subject | None = None, audit_token: str = "", page_size: int = 0
) -> Listing[Record]:
    """The pages of bulk evaluations that answered for a subject, newest first."""

    def page(token: str) -> Call[tuple[tuple[Record, ...], str]]:
        request = pb.ListResultsRequest(
            subject=_subject(subject), audit_token=audit_token, page_size=page_size, page_token=token
        )
        return Call(_AUDIT, "ListResults", request, pb.ListResultsResponse, _records, lasting=True)

    return Listing(page)


def audit_checkpoint(old_size: int = 0) -> Call[SignedCheckpoint]:
    """The newest checkpoint, and the proof that it extends ``old_size`` entries."""
    request = pb.GetCheckpointRequest(old_size=old_size)
    return Call(_AUDIT, "GetCheckpoint", request, pb.GetCheckpointResponse, _checkpoint)


def prune_audit(before: dt.datetime) -> Call[int]:
    """Drops the payloads of entries before a time; how many."""
    request = pb.PruneEntriesRequest(before=timestamp_to_proto(before, "before"))
    return Call(
        _AUDIT,
        "PruneEntries",
        request,
        pb.PruneEntriesResponse,
        lambda reply: int(reply.dropped),
        lasting=True,
    )


def replay_entry(log_index: int, subject: Subject) -> Call[Replay]:
    """Evaluates a recorded question again; the log has tokens only, so the subject is named."""
    request = pb.ReplayEntryRequest(log_index=log_index, subject=_subject(subject))
    return Call(_AUDIT, "ReplayEntry", request, pb.ReplayEntryResponse, _replay, lasting=True)


def _subject(subject: Subject | None) -> value_pb2.SubjectId | None:
    if subject is None:
        return None
    who = parse_subject(subject)
    return value_pb2.SubjectId(type=who.type, id=who.id)


def _replay(reply: Any) -> Replay:
    differences = {item.segment: (item.recorded, item.replayed) for item in reply.differences}
    return Replay(reply.same, tuple(reply.changes), differences)


def _records(reply: Any) -> tuple[tuple[Record, ...], str]:
    return tuple(Record(item.log_index, item.payload) for item in reply.entries), reply.next_page_token


def _checkpoint(reply: Any) -> SignedCheckpoint:
    return SignedCheckpoint(reply.checkpoint, tuple(reply.consistency_proof), reply.key)
