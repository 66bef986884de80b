"""The events of subjects, in sealed parts: some events of one subject and one name each.

A part with a head is *closed*: full, and before every open one in the order of time. Nothing here knows an
event's name, time or properties: ``stream`` is a keyed digest of the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from segserver.storage.contract import Connection


class PartRow(NamedTuple):
    """Some events of a subject. ``head`` (of a closed part) and ``body`` are sealed."""

    subject_key: bytes
    stream: bytes
    part: int
    """Rises with each part of the stream."""
    events: int
    """How many it holds."""
    head: bytes | None
    body: bytes | None
    """``None`` for a closed part that was read without it."""


_READ = """
    SELECT subject_key, stream, part, events, head, CASE WHEN head IS NULL THEN body END FROM event_parts
    WHERE subject_key = ? AND stream = ? ORDER BY part
"""
_BODY = "SELECT body FROM event_parts WHERE subject_key = ? AND stream = ? AND part = ?"
_COUNT = "SELECT COALESCE(SUM(events), 0) FROM event_parts WHERE subject_key = ?"
_HEAD = "SELECT head FROM event_parts WHERE subject_key = ? AND stream = ? AND part = ?"


_CONTENTS = {
    size: f"SELECT id, content FROM event_ids WHERE subject_key = ? AND id IN ({', '.join(['?'] * size)})"
    for size in (256, 32, 4, 1)
}
"""Statements for so many ids at once: any number of ids needs few of them, and each stays prepared."""


class EventParts:
    """The statements on events; each takes the connection to run on."""

    def read(self, connection: Connection, subject_key: bytes, stream: bytes) -> list[PartRow]:
        """All parts of a stream, in order; closed ones without their bodies."""
        return [PartRow._make(row) for row in connection.execute(_READ, (subject_key, stream))]

    def body(self, connection: Connection, subject_key: bytes, stream: bytes, part: int) -> bytes | None:
        """The body of one part; ``None`` when it is there no more."""
        row = connection.execute(_BODY, (subject_key, stream, part)).fetchone()
        return None if row is None else bytes(row[0])

    def sizes(self, connection: Connection, subject_key: bytes, stream: bytes) -> list[tuple[int, int, bool]]:
        """(part, events, whether it is closed) of all parts of a stream, in order."""
        rows = connection.execute(
            "SELECT part, events, head IS NOT NULL FROM event_parts"
            " WHERE subject_key = ? AND stream = ? ORDER BY part",
            (subject_key, stream),
        )
        return [(part, events, bool(closed)) for part, events, closed in rows]

    def streams(self, connection: Connection, subject_key: bytes) -> list[bytes]:
        """The streams of a subject."""
        rows = connection.execute(
            "SELECT DISTINCT stream FROM event_parts WHERE subject_key = ? ORDER BY 1", (subject_key,)
        )
        return [bytes(row[0]) for row in rows]

    def add(self, connection: Connection, rows: Iterable[PartRow]) -> None:
        """Stores new parts."""
        connection.executemany("INSERT INTO event_parts VALUES (?, ?, ?, ?, ?, ?)", rows)

    def drop(self, connection: Connection, subject_key: bytes, stream: bytes, parts: Iterable[int]) -> None:
        """Removes parts."""
        connection.executemany(
            "DELETE FROM event_parts WHERE subject_key = ? AND stream = ? AND part = ?",
            [(subject_key, stream, part) for part in parts],
        )

    def head(self, connection: Connection, subject_key: bytes, stream: bytes, part: int) -> bytes | None:
        """The head of one part; ``None`` for an open part, and for one that is there no more."""
        row = connection.execute(_HEAD, (subject_key, stream, part)).fetchone()
        return None if row is None or row[0] is None else bytes(row[0])

    def set_head(
        self, connection: Connection, subject_key: bytes, stream: bytes, part: int, head: bytes
    ) -> None:
        """Replaces the head of a closed part, if it is there still."""
        connection.execute(
            "UPDATE event_parts SET head = ? WHERE subject_key = ? AND stream = ? AND part = ?"
            " AND head IS NOT NULL",
            (head, subject_key, stream, part),
        )

    def contents(
        self, connection: Connection, subject_key: bytes, ids: Sequence[bytes]
    ) -> dict[bytes, bytes]:
        """Event id → digest of what was recorded under it, for those of ``ids`` that are known."""
        found: dict[bytes, bytes] = {}
        start = 0
        for size, statement in _CONTENTS.items():
            while len(ids) - start >= size:
                rows = connection.execute(statement, (subject_key, *ids[start : start + size]))
                found.update((bytes(event_id), bytes(content)) for event_id, content in rows)
                start += size
        return found

    def add_ids(self, connection: Connection, rows: Iterable[tuple[bytes, bytes, bytes]]) -> None:
        """Remembers (subject key, event id, digest of the content)."""
        connection.executemany("INSERT INTO event_ids VALUES (?, ?, ?)", rows)

    def count(self, connection: Connection, subject_key: bytes) -> int:
        """How many events a subject has."""
        row = connection.execute(_COUNT, (subject_key,)).fetchone()
        return int(row[0])

    def erase(self, connection: Connection, subject_key: bytes) -> int:
        """Removes every event of a subject and what is known of their ids; how many events there were."""
        connection.execute("DELETE FROM event_ids WHERE subject_key = ?", (subject_key,))
        events = self.count(connection, subject_key)
        connection.execute("DELETE FROM event_parts WHERE subject_key = ?", (subject_key,))
        return events
