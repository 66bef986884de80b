"""ProfileService."""

from __future__ import annotations

from segserver import wire
from segserver.config import Limits
from segserver.engine import Engine
from segserver.engine.profiles import Change, Written
from segserver.errors import SegserverError
from segserver.model import Caller
from segserver.rpc import convert, status
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
        for number, item in enumerate(request.changes):
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
                for result in results
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

    def _change(self, message: pb.ProfileChange, field: str) -> Change:
        return Change(
            subject=convert.subject_id(message.subject, self._limits, f"{field}.subject"),
            attributes=convert.attributes(message.attributes, self._limits, f"{field}.attributes"),
            removed=tuple(message.removed),
            field=field,
        )


def _upserted(written: Written) -> pb.UpsertProfileResponse:
    return pb.UpsertProfileResponse(subject_token=written.subject_token, revision=written.revision)
