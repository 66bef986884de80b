"""A subject's data as one JSON document, and back: access and portability (GDPR art. 15, 20).

The document is deterministic: the same subject gives the same bytes. Reading it back gives the same subject,
times, evidence and events included; memberships, lists, rules and sources are there for the person, and are
computed anew after an import. Many events take several documents: the first has everything else, and each
says what to ask for to get the next.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from segserver.errors import InvalidInput
from segserver.model import check_value
from segserver.privacy.consent import following
from segserver.privacy.policy import Policy
from segserver.privacy.records import Record
from segserver.privacy.subject import NO_STATE, Profile, RuleValue, SubjectState
from segserver.privacy.vault import Subject
from segserver.rules.times import from_datetime, to_datetime

FORMAT = "segserver-subject/1"


class ExportedValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One attribute: its type, its value in JSON, and when it was recorded and expires (RFC 3339)."""

    type: str
    value: Any
    recorded: dt.datetime
    expires: dt.datetime | None = None
    category: str = ""


class ExportedRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One record of the consent ledger, under its number."""

    number: int
    record: Record


class ExportedEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that the subject did: when, and its properties in JSON."""

    time: dt.datetime
    properties: dict[str, Any] = {}


class ExportedEvents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events of one name, in the order of time, and at the same time in the order of recording."""

    recorded: list[ExportedEvent]
    timestamps: list[str] = []
    """The properties that hold a moment."""


class ExportedMove(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When the subject ``entered`` or ``left`` a segment, and why."""

    time: dt.datetime
    purpose: str
    segment: str
    change: str
    reason: str


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is stored about a subject, and what follows from it."""

    format: str
    subject: str
    """The subject's token for whoever asked."""
    attributes: dict[str, ExportedValue]
    records: list[ExportedRecord]
    memberships: dict[str, dict[str, str]] = {}
    """Purpose → segment → outcome, at the time of the export."""
    rules: dict[str, str] = {}
    """Segment → its rule: the logic involved (art. 15(1)(h))."""
    sources: dict[str, str] = {}
    """Attribute → the caller that wrote its value, where the log still tells (art. 14(2)(f), 15(1)(g))."""
    purposes: dict[str, str] = {}
    """Purpose → its legal basis."""
    membership_history: list[ExportedMove] = []
    """As far back as it is kept, in order."""
    lists: list[str] = []
    """The uploaded lists that name the subject."""
    events: dict[str, ExportedEvents] = {}
    events_before: int = 0
    """How many events were in the documents before this one."""
    following: str = ""
    """What to ask for to get the document with the next events; empty in the last."""


@dataclass(frozen=True, slots=True)
class Portion:
    """The events of one document; see :class:`Document`."""

    events: Mapping[str, ExportedEvents] = field(default_factory=dict)
    before: int = 0
    following: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """What is in a document. Events are (microseconds since the epoch, properties in rule form)."""

    profile: Profile
    state: SubjectState
    records: Sequence[tuple[int, Record]]
    events: Mapping[str, Sequence[tuple[int, Mapping[str, Any]]]]
    events_before: int


@dataclass(frozen=True, slots=True)
class Derived:
    """What the engine adds to an export; see :class:`Document`."""

    memberships: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    membership_history: Sequence[ExportedMove] = ()
    lists: Sequence[str] = ()


NO_EVENTS = Portion()


def export(
    subject: Subject,
    token: str,
    history: Sequence[tuple[int, Record]],
    policy: Policy,
    derived: Derived,
    portion: Portion = NO_EVENTS,
) -> bytes:
    """The first document's bytes: JSON, UTF-8, keys sorted. ``history`` is all of the subject's ledger, in
    any order.
    """
    document = Document(
        format=FORMAT,
        subject=token,
        attributes={name: _exported(subject.profile, name, policy) for name in subject.profile.values},
        records=[
            ExportedRecord(number, record) for number, record in sorted(history, key=lambda item: item[0])
        ],
        memberships={purpose: dict(outcomes) for purpose, outcomes in derived.memberships.items()},
        rules=dict(derived.rules),
        sources=dict(derived.sources),
        purposes={name: purpose.legal_basis.value for name, purpose in policy.purposes.items()},
        membership_history=list(derived.membership_history),
        lists=sorted(derived.lists),
        events=dict(portion.events),
        following=portion.following,
    )
    return _written(document)


def export_following(token: str, portion: Portion) -> bytes:
    """The bytes of a document after the first: events alone."""
    return _written(
        Document(
            format=FORMAT,
            subject=token,
            attributes={},
            records=[],
            events=dict(portion.events),
            events_before=portion.before,
            following=portion.following,
        )
    )


def _written(document: Document) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=2) + b"\n"


def read(content: bytes) -> Imported:
    """What is in a document. Raises :class:`InvalidInput`, which shows no value."""
    try:
        document = msgspec.json.decode(content, type=Document)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise _malformed("is not a document of this format") from None
    if document.format != FORMAT:
        raise _malformed(f"format is not {FORMAT}")
    numbers = [item.number for item in document.records]
    if numbers != list(range(1, len(numbers) + 1)):
        raise _malformed("the records are not numbered from 1 without a gap")
    if document.events_before < 0 or (document.events_before and (document.attributes or document.records)):
        raise _malformed("a document after the first has events alone")
    state = NO_STATE
    for item in document.records:
        state = following(state, item.record, item.number)
    values: dict[str, RuleValue] = {}
    for name, exported in document.attributes.items():
        values[name] = _imported(name, exported)
    recorded = {name: from_datetime(item.recorded) for name, item in document.attributes.items()}
    latest = max(recorded.values(), default=0)
    profile = Profile(
        values=values,
        recorded_us=latest,
        recorded={name: at for name, at in recorded.items() if at != latest},
        expires={
            name: from_datetime(item.expires)
            for name, item in document.attributes.items()
            if item.expires is not None
        },
        timestamps=tuple(
            sorted(name for name, item in document.attributes.items() if item.type == "timestamp")
        ),
    )
    return Imported(
        profile,
        state,
        [(item.number, item.record) for item in document.records],
        {name: _occurred(given) for name, given in document.events.items()},
        document.events_before,
    )


def _occurred(given: ExportedEvents) -> list[tuple[int, dict[str, Any]]]:
    found = []
    for event in given.recorded:
        if event.time.tzinfo is None:
            raise _malformed("a time has no zone")
        properties = {name: _property(name, value, given) for name, value in event.properties.items()}
        found.append((from_datetime(event.time), properties))
    return found


def _property(name: str, value: Any, given: ExportedEvents) -> Any:
    if name in given.timestamps:
        return from_datetime(_moment(value))
    if type(value) not in (bool, int, float, str):
        raise _malformed("a property has an unknown type")
    return check_value("events.properties", value, _TYPE[type(value)])


def _exported(profile: Profile, name: str, policy: Policy) -> ExportedValue:
    value = profile.values[name]
    label = policy.labels.get(name)
    expires = profile.expires.get(name)
    is_moment = name in profile.timestamps and isinstance(value, int)
    return ExportedValue(
        type="timestamp" if is_moment else _TYPE[type(value)],
        value=to_datetime(value) if is_moment and isinstance(value, int) else value,
        recorded=to_datetime(profile.recorded_at(name)),
        expires=None if expires is None else to_datetime(expires),
        category="" if label is None else label.category.value,
    )


def _imported(name: str, exported: ExportedValue) -> RuleValue:
    value = exported.value
    if exported.recorded.tzinfo is None or (exported.expires is not None and exported.expires.tzinfo is None):
        raise _malformed("a time has no zone")
    if exported.type not in (*_TYPE.values(), "timestamp"):
        raise _malformed("an attribute has an unknown type")
    if exported.type == "timestamp":
        value = _moment(value)
    checked = check_value(f"attributes.{name}", value, exported.type)
    return from_datetime(checked) if isinstance(checked, dt.datetime) else checked


def _moment(text: Any) -> dt.datetime:
    try:
        found = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise _malformed("a timestamp can't be read") from None
    if found.tzinfo is None:
        raise _malformed("a timestamp has no zone")
    return found


_TYPE = {bool: "bool", int: "int", float: "double", str: "string", tuple: "list(string)"}


def _malformed(description: str) -> InvalidInput:
    return InvalidInput.of("document", description, reason="EXPORT_MALFORMED")
