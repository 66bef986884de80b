"""ProfileService."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from segserver import wire
from segserver.config import Limits
from segserver.engine import Engine
from segserver.engine.events import Occurrence, Told
from segserver.engine.profiles import Change, Written
from segserver.engine.slices import sliced
from segserver.errors import InvalidInput, SegserverError
from segserver.model import Caller
from segserver.rpc import convert, lists, status
from segserver.v1 import profile_service_pb2 as pb


class ProfileServicer:
    """Writes and reads profiles."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._limits: Limits = engine.config.limits

    async def UpsertProfile(  # noqa: N802  the name in the proto
        self, request: pb.UpsertProfileRequest, caller: Caller
    ) -> pb.UpsertProfileResponse:
        """Writes one profile."""
        change = self._change(request.change, "change")
        (written,) = await self._engine.profiles.upsert(caller, [change])
        if isinstance(written, SegserverError):
            raise written
        return _upserted(written)

    async def BatchUpsertProfiles(  # noqa: N802
        self, request: pb.BatchUpsertProfilesRequest, caller: Caller
    ) -> pb.BatchUpsertProfilesResponse:
        """Writes many profiles; the good ones land."""
        if len(request.changes) > self._limits.batch_subjects_max:
            raise convert.too_long("changes", "batch_subjects_max", self._limits.batch_subjects_max)
        changes: list[Change | SegserverError] = []
        async for number, item in sliced(enumerate(request.changes)):
            try:
                changes.append(self._change(item, f"changes[{number}]"))
            except SegserverError as error:
                changes.append(error)
        results = await self._engine.profiles.upsert(caller, changes)
        return pb.BatchUpsertProfilesResponse(
            results=[
                pb.BatchUpsertResult(profile=_upserted(result))
                if isinstance(result, Written)
                else pb.BatchUpsertResult(error=status.failure_of(result))
                async for result in sliced(results)
            ]
        )

    async def GetProfile(self, request: pb.GetProfileRequest, caller: Caller) -> pb.GetProfileResponse:  # noqa: N802
        """Reads one profile."""
        profile = await self._engine.profiles.get(caller, convert.subject_id(request.subject, self._limits))
        return pb.GetProfileResponse(
            profile=pb.Profile(
                subject_token=profile.subject_token,
                attributes=wire.attributes_to_proto(profile.attributes),
                revision=profile.revision,
                update_time=convert.timestamp(profile.updated_us),
            )
        )

    async def RecordEvents(  # noqa: N802
        self, request: pb.RecordEventsRequest, caller: Caller
    ) -> pb.RecordEventsResponse:
        """Records events; the good ones land."""
        return pb.RecordEventsResponse(**await self._recorded(request.events, caller))

    async def StreamEvents(  # noqa: N802
        self, requests: AsyncIterator[pb.StreamEventsRequest], caller: Caller
    ) -> AsyncIterator[pb.StreamEventsResponse]:
        """Records the events of each request, and answers it once they are durable."""
        async for request in requests:
            yield pb.StreamEventsResponse(**await self._recorded(request.events, caller))

    async def UploadList(  # noqa: N802
        self, requests: AsyncIterator[pb.UploadListRequest], caller: Caller
    ) -> AsyncIterator[pb.UploadListResponse]:
        """Takes a list, piece by piece, and lets it serve as a whole."""
        async with aclosing(lists.upload(self._engine, requests, caller)) as replies:
            async for reply in replies:
                yield reply

    async def ListLists(self, _: pb.ListListsRequest, __: Caller) -> pb.ListListsResponse:  # noqa: N802
        """The lists."""
        return pb.ListListsResponse(lists=[lists.shown(row) for row in await self._engine.lists.listing()])

    async def DeleteList(self, request: pb.DeleteListRequest, caller: Caller) -> pb.DeleteListResponse:  # noqa: N802
        """Lets a list serve no more."""
        await self._engine.lists.delete(caller, request.name)
        return pb.DeleteListResponse()

    async def _recorded(self, events: Sequence[pb.Event], caller: Caller) -> dict[str, Any]:
        """The fields of a reply about events that were recorded, or not."""
        if len(events) > self._limits.events_max:
            raise convert.too_long("events", "events_max", self._limits.events_max)
        occurrences: list[Occurrence | SegserverError] = []
        async for number, item in sliced(enumerate(events)):
            try:
                occurrences.append(self._occurrence(item, f"events[{number}]"))
            except SegserverError as error:
                occurrences.append(error)
        told = await self._engine.events.record(caller, occurrences)
        return {
            "recorded": sum(one is Told.RECORDED for one in told),
            "repeated": sum(one is Told.REPEATED for one in told),
            "rejected": [
                pb.RejectedEvent(index=index, error=status.failure_of(one))
                for index, one in enumerate(told)
                if isinstance(one, SegserverError)
            ],
        }

    def _occurrence(self, message: pb.Event, field: str) -> Occurrence:
        subject = convert.subject_id(message.subject, self._limits, f"{field}.subject")
        if not message.name:
            raise InvalidInput.of(f"{field}.name", "name the event", reason="EVENT_MISSING")
        if not message.HasField("time"):
            raise InvalidInput.of(f"{field}.time", "say when it happened", reason="EVENT_TIME_MISSING")
        if len(message.id.encode()) > self._limits.event_id_bytes_max:
            raise convert.too_long(f"{field}.id", "event_id_bytes_max", self._limits.event_id_bytes_max)
        return Occurrence(
            subject=subject,
            event=message.name,
            at_us=wire.timestamp_us_from_proto(message.time, f"{field}.time"),
            properties=convert.attributes(message.properties, self._limits, f"{field}.properties"),
            id=message.id,
            field=field,
        )

    def _change(self, message: pb.ProfileChange, field: str) -> Change:
        most = self._limits.request_attributes_max
        if len(message.removed) > most:
            raise convert.too_long(f"{field}.removed", "request_attributes_max", most)
        return Change(
            subject=convert.subject_id(message.subject, self._limits, f"{field}.subject"),
            attributes=convert.attributes(message.attributes, self._limits, f"{field}.attributes"),
            removed=tuple(message.removed),
            field=field,
        )


def _upserted(written: Written) -> pb.UpsertProfileResponse:
    return pb.UpsertProfileResponse(subject_token=written.subject_token, revision=written.revision)
