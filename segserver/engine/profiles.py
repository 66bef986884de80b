"""Writing and reading profiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.config import Limits
from segserver.engine.answers import new_evaluation_id
from segserver.engine.corridor import checked_values
from segserver.engine.serving import VALUE_CLASSES, Serving
from segserver.engine.slices import sliced
from segserver.errors import InvalidInput, SegserverError
from segserver.model import Caller, SubjectId, Value
from segserver.privacy.profiles import Profiles as Keeper
from segserver.privacy.pseudonyms import Pseudonyms
from segserver.privacy.subject import RuleValue
from segserver.privacy.vault import Subject
from segserver.rules.values import from_rule
from segserver.storage.contract import Connection, Reader
from segserver.storage.writer import Writer


@dataclass(frozen=True, slots=True)
class Change:
    """What to write for one subject: attributes to set, names to remove. ``field`` is its place in the
    request.
    """

    subject: SubjectId
    attributes: Mapping[str, Value]
    removed: tuple[str, ...] = ()
    field: str = "change"


@dataclass(frozen=True, slots=True)
class Written:
    """A profile that was written."""

    subject_token: str
    revision: int


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """What is stored about a subject. ``updated_us`` is microseconds since the epoch, UTC."""

    subject_token: str
    attributes: Mapping[str, Value]
    revision: int
    updated_us: int


@dataclass(frozen=True, slots=True)
class _Sound:
    """A change that passed every check, ready for the writer."""

    subject_key: bytes
    values: Mapping[str, RuleValue | None]


class ProfileDesk:
    """Writes what is declared and sound, refuses the rest by name, and leaves an entry for each subject."""

    def __init__(
        self,
        reads: Reader,
        writer: Writer,
        pseudonyms: Pseudonyms,
        keeper: Keeper,
        serving: Callable[[], Serving],
        now_us: Callable[[], int],
        limits: Limits,
    ) -> None:
        self._reads = reads
        self._writer = writer
        self._pseudonyms = pseudonyms
        self._keeper = keeper
        self._serving = serving
        self._now_us = now_us
        self._limits = limits

    async def upsert(
        self, caller: Caller, changes: Sequence[Change | SegserverError]
    ) -> list[Written | SegserverError]:
        """Writes the sound changes in one transaction; a change that is not has its error in its place.

        Raises :class:`Unavailable` when nothing could be written.
        """
        serving = self._serving()
        sound = [self._checked(change, serving) async for change in sliced(changes)]
        now_us = self._now_us()
        timestamps = frozenset(
            name for name, a in serving.catalog.attributes.items() if a.type == "timestamp"
        )

        def work(connection: Connection) -> list[Subject | SegserverError]:
            return [
                change
                if isinstance(change, SegserverError)
                else self._write(connection, change, now_us, timestamps)
                for change in sound
            ]

        def entries(written: list[Subject | SegserverError]) -> list[bytes]:
            return [
                self._entry(Kind.PROFILE_WRITTEN, caller, subject, now_us, tuple(sorted(change.values)))
                for subject, change in zip(written, sound, strict=True)
                if isinstance(subject, Subject) and isinstance(change, _Sound)
            ]

        written: list[Subject | SegserverError] = (await self._writer.write(work, entries)).result
        return [
            item
            if isinstance(item, SegserverError)
            else Written(
                self._pseudonyms.recipient_token(item.subject_key, item.salt, caller.name), item.revision
            )
            async for item in sliced(written)
        ]

    async def get(self, caller: Caller, subject_id: SubjectId) -> StoredProfile:
        """What is stored about a subject, once the read is in the log. Raises :class:`NotFound`."""
        subject_key = self._pseudonyms.subject_key(subject_id)
        subject = await self._reads.read(lambda connection: self._keeper.require(connection, subject_key))
        serving = self._serving()
        now_us = self._now_us()
        current = serving.gate.current(subject.profile, now_us)
        declared = serving.catalog.attributes
        attributes = {
            name: from_rule(value, declared[name].type)
            for name, value in sorted(current.items())
            if name in declared and value.__class__ is VALUE_CLASSES[declared[name].type]
        }
        await self._writer.write(
            None, (self._entry(Kind.PROFILE_READ, caller, subject, now_us, tuple(attributes)),)
        )
        token = self._pseudonyms.recipient_token(subject.subject_key, subject.salt, caller.name)
        return StoredProfile(token, attributes, subject.revision, subject.updated_us)

    def _checked(self, change: Change | SegserverError, serving: Serving) -> _Sound | SegserverError:
        if isinstance(change, SegserverError):
            return change
        try:
            key = self._pseudonyms.subject_key(change.subject)
            values: dict[str, RuleValue | None] = dict(
                checked_values(serving, change.attributes, f"{change.field}.attributes")
            )
            for name in change.removed:
                if name in values:
                    raise InvalidInput.of(
                        f"{change.field}.removed",
                        f"{name} is set and removed at once",
                        reason="ATTRIBUTE_INVALID",
                    )
                serving.catalog.attribute(name)
                values[name] = None
            if not values:
                raise InvalidInput.of(change.field, "sets and removes nothing", reason="CHANGE_EMPTY")
        except SegserverError as error:
            return error
        return _Sound(key, values)

    def _write(
        self, connection: Connection, change: _Sound, now_us: int, timestamps: frozenset[str]
    ) -> Subject | SegserverError:
        """Writes one change inside the transaction; one that makes its profile too large is refused alone."""
        subject = self._keeper.obtain(connection, change.subject_key)
        profile = subject.profile.merged(change.values, now_us, timestamps=timestamps)
        size = len(msgspec.msgpack.encode(profile))
        if size > self._limits.profile_bytes_max:
            return InvalidInput(
                f"the profile would be beyond the {self._limits.profile_bytes_max} bytes"
                " of limits.profile_bytes_max",
                reason="LIMIT_EXCEEDED",
                metadata={"limit": "profile_bytes_max", "value": str(self._limits.profile_bytes_max)},
            )
        return self._keeper.store(connection, subject, now_us, profile=profile)

    def _entry(
        self, kind: Kind, caller: Caller, subject: Subject, now_us: int, names: tuple[str, ...]
    ) -> bytes:
        return encode(
            Entry(
                time=timestamp_us(now_us),
                kind=kind,
                caller=caller.name,
                request_id=new_evaluation_id(now_us),
                subject=self._pseudonyms.audit_token(subject.subject_key, subject.salt),
                read=names,
                catalog=self._serving().catalog.digest,
            )
        )
