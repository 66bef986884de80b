"""AuditService."""

from __future__ import annotations

from segserver.audit.entry import Kind, timestamp
from segserver.audit.search import Filter
from segserver.config import Limits
from segserver.engine import Engine
from segserver.errors import InvalidInput
from segserver.model import Caller, SubjectId
from segserver.rpc import convert
from segserver.rules.times import to_datetime
from segserver.v1 import audit_service_pb2 as pb

SEARCH_DEFAULT, EXPORT_DEFAULT = 50, 1_000


class AuditServicer:
    """Shows what the log holds and proves it."""

    def __init__(self, engine: Engine) -> None:
        self._audit = engine.audit
        self._limits: Limits = engine.config.limits

    async def SearchEntries(  # noqa: N802  the name in the proto
        self, request: pb.SearchEntriesRequest, caller: Caller
    ) -> pb.SearchEntriesResponse:
        """A page of entries."""
        page = await self._audit.search(
            caller,
            _filter(request.filter),
            self._subject(request.filter),
            count=_size(request.page_size, SEARCH_DEFAULT),
            before=_place(request.page_token),
        )
        return pb.SearchEntriesResponse(
            entries=[pb.AuditEntry(log_index=item.log_index, payload=item.payload) for item in page.found],
            next_page_token="" if page.before is None else str(page.before),
        )

    async def GetEntry(self, request: pb.GetEntryRequest, caller: Caller) -> pb.GetEntryResponse:  # noqa: N802
        """One entry."""
        payload = await self._audit.get(caller, request.log_index)
        return pb.GetEntryResponse(entry=pb.AuditEntry(log_index=request.log_index, payload=payload))

    async def GetStats(self, request: pb.GetStatsRequest, caller: Caller) -> pb.GetStatsResponse:  # noqa: N802
        """Counts."""
        counts = await self._audit.stats(caller, _filter(request.filter), self._subject(request.filter))
        return pb.GetStatsResponse(
            counts={name: pb.Counts(values=dict(counter)) for name, counter in counts.items()}
        )

    async def ExportEntries(  # noqa: N802
        self, request: pb.ExportEntriesRequest, caller: Caller
    ) -> pb.ExportEntriesResponse:
        """A page of entries to take away."""
        records, following = await self._audit.export(
            caller,
            _filter(request.filter),
            self._subject(request.filter),
            start=_place(request.page_token) or 0,
            count=_size(request.page_size, EXPORT_DEFAULT),
        )
        return pb.ExportEntriesResponse(
            entries=[pb.AuditEntry(log_index=item.log_index, payload=item.payload) for item in records],
            next_page_token="" if following is None else str(following),
            origin=self._audit.key.name,
        )

    async def ProveEntry(self, request: pb.ProveEntryRequest, caller: Caller) -> pb.ProveEntryResponse:  # noqa: N802
        """The proof of one entry."""
        return pb.ProveEntryResponse(proof=await self._audit.prove(caller, request.log_index))

    async def ProveResult(  # noqa: N802
        self, request: pb.ProveResultRequest, caller: Caller
    ) -> pb.ProveResultResponse:
        """The proof of one subject's result."""
        subject = self._named(request)
        made = await self._audit.prove_result(caller, request.log_index, subject, request.audit_token)
        return pb.ProveResultResponse(proof=made)

    async def ListResults(  # noqa: N802
        self, request: pb.ListResultsRequest, caller: Caller
    ) -> pb.ListResultsResponse:
        """The bulk evaluations that answered for a subject."""
        page = await self._audit.results_of(
            caller,
            self._named(request),
            request.audit_token,
            count=_size(request.page_size, SEARCH_DEFAULT),
            before=_place(request.page_token),
        )
        return pb.ListResultsResponse(
            entries=[pb.AuditEntry(log_index=item.log_index, payload=item.payload) for item in page.found],
            next_page_token="" if page.before is None else str(page.before),
        )

    async def GetCheckpoint(  # noqa: N802
        self, request: pb.GetCheckpointRequest, _: Caller
    ) -> pb.GetCheckpointResponse:
        """The newest checkpoint."""
        note, proof = await self._audit.checkpoint(request.old_size)
        return pb.GetCheckpointResponse(checkpoint=note, consistency_proof=proof, key=str(self._audit.key))

    async def PruneEntries(  # noqa: N802
        self, request: pb.PruneEntriesRequest, caller: Caller
    ) -> pb.PruneEntriesResponse:
        """Drops old payloads."""
        if not request.HasField("before"):
            raise InvalidInput.of("before", "say before which time", reason="TIME_MISSING")
        before_us = convert.time_us(request.before, "before")
        return pb.PruneEntriesResponse(dropped=await self._audit.prune(caller, before_us or 0))

    async def ReplayEntry(  # noqa: N802
        self, request: pb.ReplayEntryRequest, caller: Caller
    ) -> pb.ReplayEntryResponse:
        """Evaluates again."""
        subject = convert.subject_id(request.subject, self._limits)
        replay = await self._audit.replay(caller, request.log_index, subject)
        return pb.ReplayEntryResponse(
            same=replay.same,
            changes=[str(change) for change in replay.changes],
            differences=[
                pb.OutcomeDifference(segment=item.segment, recorded=item.recorded, replayed=item.replayed)
                for item in replay.differences
            ],
        )

    def _named(self, message: pb.ProveResultRequest | pb.ListResultsRequest) -> SubjectId | None:
        return convert.subject_id(message.subject, self._limits) if message.HasField("subject") else None

    def _subject(self, message: pb.EntryFilter) -> SubjectId | None:
        if not message.HasField("subject"):
            return None
        return convert.subject_id(message.subject, self._limits, "filter.subject")


def _filter(message: pb.EntryFilter) -> Filter:
    known = set(Kind)
    if len(message.kinds) > len(known):
        raise InvalidInput.of("filter.kinds", f"use each of {', '.join(Kind)} once", reason="KIND_UNKNOWN")
    for kind in message.kinds:
        if kind not in known:
            raise InvalidInput.of("filter.kinds", f"use some of {', '.join(Kind)}", reason="KIND_UNKNOWN")
    times = {
        name: timestamp(to_datetime(convert.time_us(getattr(message, name), f"filter.{name}") or 0))
        for name in ("after", "before")
        if message.HasField(name)
    }
    return Filter(
        **times,
        kinds=tuple(Kind(kind) for kind in message.kinds),
        caller=message.caller,
        purpose=message.purpose,
        segment=message.segment,
        outcome=message.outcome,
        withheld_by=message.withheld_by,
        result=message.result,
        subjects=(message.audit_token,) if message.audit_token else (),
    )


def _size(page_size: int, default: int) -> int:
    return page_size or default


def _place(token: str) -> int | None:
    if token and not (token.isascii() and token.isdecimal() and len(token) < 19):
        raise InvalidInput.of(
            "page_token", "is not one that this server gave out", reason="PAGE_TOKEN_INVALID"
        )
    return int(token) if token else None
