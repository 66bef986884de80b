"""Recording what subjects did."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import msgspec

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.catalog import Catalog
from segserver.catalog.names import near
from segserver.config import EventSettings
from segserver.engine.answers import new_evaluation_id
from segserver.engine.corridor import HINTS_MAX, VIOLATIONS_MAX
from segserver.engine.histories import Histories, Recorded
from segserver.engine.serving import Serving
from segserver.engine.slices import sliced
from segserver.errors import Conflict, InvalidInput, SegserverError, Unavailable, Violation
from segserver.events.definitions import DOUBLE_MAX
from segserver.model import Caller, SubjectId, Value, check_value
from segserver.privacy.profiles import Profiles
from segserver.privacy.pseudonyms import Pseudonyms
from segserver.privacy.vault import Subject, Vault
from segserver.rules.values import to_rule
from segserver.storage.contract import Connection
from segserver.storage.events import EventParts
from segserver.storage.writer import Writer

_ENCODER = msgspec.msgpack.Encoder()
_DAY_US = 86_400_000_000
_SECOND_US = 1_000_000


class Told(Enum):
    """What became of a sound event."""

    RECORDED = 1
    REPEATED = 2
    """It had been recorded already, under its id."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that a subject did. ``at_us`` is microseconds since the epoch; ``field`` its place in the
    request.
    """

    subject: SubjectId
    event: str
    at_us: int
    properties: Mapping[str, Value]
    id: str = ""
    field: str = "event"


@dataclass(frozen=True, slots=True)
class _Sound:
    """An occurrence that passed every check. ``position`` is its place in the call."""

    position: int
    event: str
    at_us: int
    properties: Mapping[str, Any]
    id: str
    content: bytes
    """What an event with an id says, to be recognized by."""
    field: str


@dataclass(slots=True)
class _Work:
    """The sound events of one call by subject, and what became of each event."""

    told: list[Told | SegserverError]
    subjects: dict[bytes, list[_Sound]] = field(default_factory=dict)


class EventDesk:
    """Records what is declared and sound, refuses the rest by name, and leaves an entry for each subject."""

    def __init__(
        self,
        writer: Writer,
        pseudonyms: Pseudonyms,
        keeper: Profiles,
        vault: Vault,
        histories: Histories,
        serving: Callable[[], Serving],
        now_us: Callable[[], int],
        settings: EventSettings,
    ) -> None:
        self._writer = writer
        self._pseudonyms = pseudonyms
        self._keeper = keeper
        self._vault = vault
        self._histories = histories
        self._parts = EventParts()
        self._serving = serving
        self._now_us = now_us
        self._settings = settings

    async def record(
        self, caller: Caller, occurrences: Sequence[Occurrence | SegserverError]
    ) -> list[Told | SegserverError]:
        """Records the sound events in one transaction; what became of each, in order. Where a subject can not
        be read or written, those of each are recorded by themselves, and the error stands in its places.

        Raises :class:`Unavailable` when nothing could be recorded.
        """
        serving, now_us = self._serving(), self._now_us()
        work = await self._checked(occurrences, serving.catalog, now_us)
        if not work.subjects:
            return work.told
        try:
            await self._write(caller, serving, now_us, work.subjects, work.told)
        except Unavailable:
            raise
        except SegserverError:
            for key, sound in work.subjects.items():
                try:
                    await self._write(caller, serving, now_us, {key: sound}, work.told)
                except Unavailable:
                    raise
                except SegserverError as error:
                    for one in sound:
                        work.told[one.position] = error
        return work.told

    async def _write(
        self,
        caller: Caller,
        serving: Serving,
        now_us: int,
        subjects: Mapping[bytes, Sequence[_Sound]],
        told: list[Told | SegserverError],
    ) -> None:
        """Records the events of subjects in one transaction."""
        summary = serving.catalog.behavior.program.summarize

        def run(connection: Connection) -> list[tuple[Subject, Counter[str]]]:
            written = []
            ids: dict[tuple[bytes, bytes], bytes] = {}
            rows = self._keeper.rows(connection, list(subjects))
            for (key, sound), row in zip(subjects.items(), rows, strict=True):
                subject = self._keeper.open(row) or self._keeper.obtain(connection, key)
                subject, counts = self._record(connection, subject, sound, now_us, summary, told, ids)
                if counts:
                    written.append((subject, counts))
            self._parts.add_ids(connection, [(*known, content) for known, content in ids.items()])
            return written

        def entries(written: list[tuple[Subject, Counter[str]]]) -> list[bytes]:
            return [self._entry(caller, subject, counts, now_us, serving) for subject, counts in written]

        await self._writer.write(run, entries)

    async def _checked(
        self, occurrences: Sequence[Occurrence | SegserverError], catalog: Catalog, now_us: int
    ) -> _Work:
        work = _Work([Told.RECORDED] * len(occurrences))
        earliest = now_us - self._settings.age_days_max * _DAY_US
        latest = now_us + int(self._settings.ahead_s_max * _SECOND_US)
        keys: dict[SubjectId, bytes] = {}
        async for position, one in sliced(enumerate(occurrences)):
            if isinstance(one, SegserverError):
                work.told[position] = one
                continue
            try:
                key = keys.get(one.subject)
                if key is None:
                    key = keys[one.subject] = self._pseudonyms.subject_key(one.subject)
                properties = _properties(one, catalog)
                if not earliest <= one.at_us <= latest:
                    raise _untimely(one, earliest, self._settings)
            except SegserverError as error:
                work.told[position] = error
                continue
            content = b""
            if one.id:
                content = _ENCODER.encode((one.event, one.at_us, sorted(properties.items())))
            sound = _Sound(position, one.event, one.at_us, properties, one.id, content, one.field)
            work.subjects.setdefault(key, []).append(sound)
        return work

    def _record(
        self,
        connection: Connection,
        subject: Subject,
        sound: Sequence[_Sound],
        now_us: int,
        summary: Callable[..., Any],
        told: list[Told | SegserverError],
        ids: dict[tuple[bytes, bytes], bytes],
    ) -> tuple[Subject, Counter[str]]:
        """Records one subject's events inside the transaction; the subject, and how many of each name. Their
        ids go to ``ids``, to be remembered: another id of the same person may come with the same event.
        """
        key = subject.subject_key
        digests = [self._vault.event_digest(key, one.id.encode()) if one.id else b"" for one in sound]
        known = self._parts.contents(connection, key, [digest for digest in digests if digest])
        by_event: dict[str, list[Recorded]] = {}
        for one, digest in zip(sound, digests, strict=True):
            told[one.position] = Told.RECORDED
            if digest:
                content = self._vault.event_digest(key, one.content)
                before = known.get(digest) or ids.get((key, digest))
                if before is not None:
                    told[one.position] = Told.REPEATED if before == content else _contradiction(one)
                    continue
                ids[key, digest] = content
            by_event.setdefault(one.event, []).append((one.at_us, one.properties))
        if not by_event:
            return subject, Counter()
        if subject.revision == 0:
            subject = self._keeper.store(connection, subject, now_us)
        for event, recorded in by_event.items():
            self._histories.append(connection, subject, event, recorded, summary)
        self._keeper.touch(connection, subject, now_us, "EVENTS")
        return subject, Counter({event: len(recorded) for event, recorded in by_event.items()})

    def _entry(
        self, caller: Caller, subject: Subject, counts: Counter[str], now_us: int, serving: Serving
    ) -> bytes:
        return encode(
            Entry(
                time=timestamp_us(now_us),
                kind=Kind.EVENTS_RECORDED,
                caller=caller.name,
                request_id=new_evaluation_id(now_us),
                subject=self._pseudonyms.audit_token(subject.subject_key, subject.salt),
                catalog=serving.catalog.digest,
                details={event: str(count) for event, count in sorted(counts.items())},
            )
        )


def _properties(one: Occurrence, catalog: Catalog) -> dict[str, Any]:
    """The properties of an event in rule form. Raises :class:`InvalidInput` with every wrong one."""
    declared = catalog.events.get(one.event)
    if declared is None:
        hint = near(one.event, catalog.events)
        raise InvalidInput.of(
            f"{one.field}.name", f"the catalog declares no such event{hint}", reason="EVENT_UNDECLARED"
        )
    known = declared.definition.properties
    found: dict[str, Any] = {}
    violations: list[Violation] = []
    for name, value in one.properties.items():
        if len(violations) >= VIOLATIONS_MAX:
            break
        place = f"{one.field}.properties.values[{name}]"
        prop = known.get(name)
        if prop is None:
            hint = near(name, known) if len(violations) < HINTS_MAX else ""
            message = f"the event {one.event} has no such property{hint}"
            violations.append(Violation(place, message))
            continue
        try:
            checked = check_value(place, value, prop.type)
        except InvalidInput as error:
            violations += error.violations
            continue
        if prop.values and checked not in prop.values:
            message = f"is none of the allowed values: {', '.join(prop.values)}"
            violations.append(Violation(place, message))
        elif isinstance(checked, float) and abs(checked) > DOUBLE_MAX:
            violations.append(Violation(place, f"is beyond {DOUBLE_MAX:g}, the greatest that can be summed"))
        else:
            plain = to_rule(checked, prop.type)
            found[name] = plain + 0.0 if isinstance(plain, float) else plain  # -0.0 becomes 0.0
    if violations:
        text = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
        raise InvalidInput(text, reason="PROPERTY_INVALID", violations=violations)
    return found


def _untimely(one: Occurrence, earliest: int, settings: EventSettings) -> InvalidInput:
    if one.at_us < earliest:
        message = (
            f"is before {_day(earliest)}, {settings.age_days_max} days ago (events.age_days_max): "
            "is that clock right?"
        )
    else:
        message = (
            f"is in the future: at most {settings.ahead_s_max:g} s ahead of the server's clock are taken "
            "(events.ahead_s_max)"
        )
    return InvalidInput.of(f"{one.field}.time", message, reason="EVENT_TIME_REFUSED")


def _day(at_us: int) -> str:
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=at_us)).date().isoformat()


def _contradiction(one: _Sound) -> Conflict:
    return Conflict(
        f"{one.field}.id: another event of this subject was recorded under this id; what happened is not "
        "changed: record a correction as an event of its own",
        reason="EVENT_ID_TAKEN",
    )
