"""What a subject did and was in, for its export; and its events back from one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from segserver.catalog import Catalog
from segserver.engine.behavior import retention_us
from segserver.engine.histories import Histories
from segserver.errors import Conflict, InvalidInput
from segserver.events.history import Chunk
from segserver.model import INT64_MAX, INT64_MIN, TypeName
from segserver.privacy.export import ExportedEvent, ExportedEvents, ExportedMove, Imported, Portion
from segserver.privacy.vault import Subject
from segserver.rules.times import to_datetime
from segserver.storage.contract import Connection
from segserver.storage.lists import Lists
from segserver.storage.memberships import ENTERED, Memberships

UNDECLARED = "undeclared:"
"""Before the digest of an event's name that the catalog declares no more: nothing else of it is stored."""

_STREAM = re.compile(r"undeclared:([0-9a-f]{16})")
_FOLLOWING = re.compile(r"([0-9]{1,18})\.([0-9a-f]{16})\.(-?[0-9]{1,19})\.([0-9]{1,18})")
_CLASSES: dict[TypeName, type] = {
    "bool": bool,
    "int": int,
    "double": float,
    "string": str,
    "timestamp": int,
}


class PortableEvents:
    """Writes a subject's events into portions of about ``bytes_max`` bytes, and reads them back."""

    def __init__(self, histories: Histories, bytes_max: int) -> None:
        self._histories = histories
        self._bytes_max = bytes_max

    def portion(
        self, connection: Connection, subject: Subject, catalog: Catalog, now_us: int, following: str
    ) -> Portion:
        """The events that are not past their retention, from ``following`` on (empty: from the first).

        Raises :class:`InvalidInput` for what no portion gave as its ``following``."""
        names = self._names(connection, subject, catalog)
        before, start, after = _position(following, names)
        retention = retention_us(catalog, catalog.events)
        found: dict[str, ExportedEvents] = {}
        size = count = 0
        for stream, name in list(names.items())[start:]:
            floor = now_us - retention[name] if name in retention else INT64_MIN
            moments = _moments(catalog, name)
            for at_us, number, properties in self._events(connection, subject, stream, floor, after):
                event = _exported(at_us, properties, moments)
                size += len(msgspec.json.encode(event))
                if count and size > self._bytes_max:
                    return Portion(found, before, f"{before + count}.{stream.hex()}.{after[0]}.{after[1]}")
                found.setdefault(name, ExportedEvents([], moments)).recorded.append(event)
                count += 1
                after = at_us, number
            after = INT64_MIN, 0
        return Portion(found, before)

    def restore(self, connection: Connection, subject: Subject, given: Imported, catalog: Catalog) -> int:
        """Adds the events of a document to a subject; how many.

        Raises :class:`InvalidInput` for events that the catalog does not declare as they are, and
        :class:`Conflict` unless those of the documents before it are there, and no others."""
        stored = self._histories.count(connection, subject)
        if stored != given.events_before:
            raise Conflict(
                f"this document goes on after {given.events_before} events, and the subject has {stored}: "
                "import an export's documents in their order, each once",
                reason="IMPORT_OUT_OF_ORDER",
            )
        summary = catalog.behavior.program.summarize
        for name, recorded in given.events.items():
            stream = None
            if undeclared := _STREAM.fullmatch(name):
                stream = bytes.fromhex(undeclared[1])
            else:
                _check(catalog, name, recorded)
            self._histories.append(connection, subject, name, recorded, summary, stream)
        return sum(map(len, given.events.values()))

    def _names(self, connection: Connection, subject: Subject, catalog: Catalog) -> dict[bytes, str]:
        """What stands for the names of a subject's events → the names, in their order."""
        declared = {self._histories.stream(name): name for name in catalog.events}
        names = {
            stream: declared.get(stream, f"{UNDECLARED}{stream.hex()}")
            for stream in self._histories.streams(connection, subject)
        }
        return dict(sorted(names.items(), key=lambda item: item[1]))

    def _events(
        self,
        connection: Connection,
        subject: Subject,
        stream: bytes,
        floor_us: int,
        after: tuple[int, int],
    ) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Time, number, properties of the events after a place, in order; chunks are opened on the way."""
        history, _ = self._histories.read_stream(connection, subject, stream)
        for piece in history.between(max(floor_us, after[0] - 1), INT64_MAX):
            chunk: Chunk = piece.chunk()
            for index, place in enumerate(zip(chunk.times, chunk.numbers, strict=True)):
                if place > after and place[0] > floor_us:
                    values = {name: column[index] for name, column in chunk.columns.items()}
                    yield *place, {name: value for name, value in values.items() if value is not None}


def moves(connection: Connection, subject: Subject) -> list[ExportedMove]:
    """When a subject entered and left segments, as far back as it is kept, in order; what it is in since
    before that, too.
    """
    rows = Memberships()
    found = [
        (row.at_us, row.purpose, row.segment, "entered" if row.change == ENTERED else "left", row.reason)
        for row in rows.history(connection, subject.subject_key)
    ]
    earlier = [
        (row.entered_us, row.purpose, row.segment, "entered", row.reason)
        for row in rows.of(connection, subject.subject_key)
    ]
    kept = set(found)
    found = [*sorted(one for one in earlier if one not in kept), *found]
    return [ExportedMove(to_datetime(at_us), *rest) for at_us, *rest in found]


def lists_of(connection: Connection, subject: Subject, now_us: int) -> list[str]:
    """The names of the lists in service that name a subject."""
    rows, key = Lists(), subject.subject_key
    return [
        row.name
        for row in rows.listing(connection)
        if (row.expires_us is None or row.expires_us > now_us) and rows.has(connection, row.version, key, key)
    ]


def _position(following: str, names: dict[bytes, str]) -> tuple[int, int, tuple[int, int]]:
    """How many events came before, at which name to go on, and after which place."""
    if not following:
        return 0, 0, (INT64_MIN, 0)
    found = _FOLLOWING.fullmatch(following)
    stream = bytes.fromhex(found[2]) if found else b""
    if found is None or stream not in names:
        raise InvalidInput.of("following", "is not what an export gave", reason="EXPORT_POSITION_UNKNOWN")
    return int(found[1]), list(names).index(stream), (int(found[3]), int(found[4]))


def _moments(catalog: Catalog, name: str) -> list[str]:
    """The properties of an event that hold a moment, as far as they are declared."""
    declared = catalog.events.get(name)
    properties = declared.definition.properties if declared else {}
    return sorted(one for one, prop in properties.items() if prop.type == "timestamp")


def _exported(at_us: int, properties: dict[str, Any], moments: list[str]) -> ExportedEvent:
    shown = {
        name: to_datetime(value).isoformat() if name in moments else value
        for name, value in properties.items()
    }
    return ExportedEvent(to_datetime(at_us), shown)


def _check(catalog: Catalog, name: str, recorded: Any) -> None:
    """Refuses what would mean nothing, or something else, to this catalog; shows no value."""
    declared = catalog.events.get(name)
    if declared is None:
        raise InvalidInput.of(
            "document", "the catalog does not declare one of the events", reason="EVENT_UNDECLARED"
        )
    classes = {one: _CLASSES[prop.type] for one, prop in declared.definition.properties.items()}
    for _, properties in recorded:
        for one, value in properties.items():
            if type(value) is not classes.get(one, type(value)):
                raise InvalidInput.of(
                    "document",
                    f"a property of {name} has another type than the catalog declares",
                    reason="PROPERTY_INVALID",
                )
