"""The events of subjects, from sealed parts to histories and back.

Recorded events become a part of their own; as small parts gather, they are merged, each event a few times in
all. When a stream has twice :data:`~segserver.events.history.CHUNK_ROWS` events in open parts, the oldest are
closed: a closed part carries partial results in its head, so that a subject with a million events is answered
from heads and a few chunks. An event that comes so late that its time lies among closed parts is merged into
the one where it belongs.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from segserver.errors import IntegrityError
from segserver.events.history import CHUNK_ROWS, Chunk, Head, History, Part, decode, encode, merge, split
from segserver.privacy.vault import Subject, Vault
from segserver.storage.contract import Connection
from segserver.storage.events import EventParts, PartRow

MERGED_PARTS = 16
"""So many open parts of about one size become one."""

NUMBERS_EACH = 1 << 20
"""A part's events are numbered from its own number times this: numbers rise in the order of recording."""

Recorded = tuple[int, Mapping[str, Any]]
"""When, in microseconds since the epoch, and the properties in rule form."""

Summary = Callable[[str, Chunk], Head]
"""The head of a chunk of an event's name, with the partial results that the catalog asks for."""


class Histories:
    """Reads and writes the events of opened subjects; each method takes the connection to run on."""

    def __init__(self, vault: Vault, parts: EventParts) -> None:
        self._vault = vault
        self._parts = parts

    def read(self, connection: Connection, subject: Subject, event: str) -> tuple[History, list[int]]:
        """A subject's events of one name, and the numbers of their parts. Chunks are opened on the same
        connection, when they are asked for.

        Raises :class:`IntegrityError` for a part that does not open."""
        return self.read_stream(connection, subject, self._vault.stream(event))

    def read_stream(
        self, connection: Connection, subject: Subject, stream: bytes
    ) -> tuple[History, list[int]]:
        """:meth:`read`, by what stands for the name."""
        rows = self._parts.read(connection, subject.subject_key, stream)
        return History([self._part(connection, subject, row) for row in rows]), [row.part for row in rows]

    def streams(self, connection: Connection, subject: Subject) -> list[bytes]:
        """What stands for the names of a subject's events."""
        return self._parts.streams(connection, subject.subject_key)

    def stream(self, event: str) -> bytes:
        """What stands for the name of an event."""
        return self._vault.stream(event)

    def count(self, connection: Connection, subject: Subject) -> int:
        """How many events a subject has."""
        return self._parts.count(connection, subject.subject_key)

    def append(
        self,
        connection: Connection,
        subject: Subject,
        event: str,
        recorded: Sequence[Recorded],
        summary: Summary,
        stream: bytes | None = None,
    ) -> None:
        """Adds events of one name, in any order of time. ``stream`` stands for a name that is not known."""
        stream = self._vault.stream(event) if stream is None else stream
        sizes = self._parts.sizes(connection, subject.subject_key, stream)
        following = sizes[-1][0] + 1 if sizes else 1
        first_number = following * NUMBERS_EACH
        chunk = Chunk.of(
            (at_us, first_number + index, properties) for index, (at_us, properties) in enumerate(recorded)
        )
        stretch = _Stretch(self._vault, self._parts, connection, subject, event, stream, following, summary)
        if any(closed for _, _, closed in sizes):
            chunk = stretch.place_late(chunk)
            if not len(chunk):
                return
        opened = [(part, events) for part, events, closed in sizes if not closed]
        if sum(events for _, events in opened) + len(chunk) >= 2 * CHUNK_ROWS:
            stretch.close_oldest(chunk, [part for part, _ in opened])
            return
        together = _of_one_size(opened, len(chunk))
        stretch.add(merge([*stretch.chunks(together), chunk]) if together else chunk, closed=False)
        if together:
            stretch.drop(together)

    def learn(self, connection: Connection, subject: Subject, event: str, heads: Mapping[int, Head]) -> None:
        """Keeps the heads (part → head) that gained partial results, where the part is still that one: it may
        have been removed since, and its number given again."""
        stream = self._vault.stream(event)
        for part, head in heads.items():
            sealed = self._parts.head(connection, subject.subject_key, stream, part)
            if sealed is None or not self._is_of(subject, stream, part, sealed, head):
                continue
            sealed = self._vault.seal_head(subject, stream, part, head.encode())
            self._parts.set_head(connection, subject.subject_key, stream, part, sealed)

    def begins_by(self, connection: Connection, subject: Subject, event: str, until_us: int) -> bool:
        """Whether a subject has an event of this name at or before a moment. Raises
        :class:`IntegrityError`."""
        history, _ = self.read(connection, subject, event)
        return bool(history.firsts) and history.firsts[0] <= until_us

    def forget(
        self, connection: Connection, subject: Subject, event: str, until_us: int, summary: Summary
    ) -> int:
        """Removes a subject's events of one name at or before a moment; how many. A closed part that holds
        nothing else goes unread, a part that holds others is written again. Raises :class:`IntegrityError`.
        """
        stream = self._vault.stream(event)
        rows = self._parts.read(connection, subject.subject_key, stream)
        following = rows[-1].part + 1 if rows else 1
        stretch = _Stretch(self._vault, self._parts, connection, subject, event, stream, following, summary)
        over = [
            (row, head)
            for row in rows
            if (head := self._part(connection, subject, row).head).first_us <= until_us
        ]
        kept = [
            (stretch.later(row.part, until_us), row.head is not None)
            for row, head in over
            if head.last_us > until_us
        ]
        stretch.drop([row.part for row, _ in over])
        for chunk, closed in kept:
            stretch.add(chunk, closed=closed)
        return sum(row.events for row, _ in over) - sum(len(chunk) for chunk, _ in kept)

    def _is_of(self, subject: Subject, stream: bytes, part: int, sealed: bytes, head: Head) -> bool:
        """Whether a stored head is of the same events as another one."""
        try:
            stored = Head.decode(self._vault.open_head(subject, stream, part, sealed))
        except IntegrityError:
            return False
        return replace(stored, partials={}) == replace(head, partials={})

    def _part(self, connection: Connection, subject: Subject, row: PartRow) -> Part:
        if row.head is not None:
            head = Head.decode(self._vault.open_head(subject, row.stream, row.part, row.head))
            return Part(head, partial(self._chunk, connection, subject, row.stream, row.part))
        if row.body is None:
            raise IntegrityError("a part of a subject's events is missing", reason="EVENTS_UNREADABLE")
        chunk = decode(self._vault.open_events(subject, row.stream, row.part, row.body))
        return Part(Head.of(chunk), lambda: chunk, closed=False)

    def _chunk(self, connection: Connection, subject: Subject, stream: bytes, part: int) -> Chunk:
        sealed = self._parts.body(connection, subject.subject_key, stream, part)
        if sealed is None:
            raise IntegrityError("a part of a subject's events is missing", reason="EVENTS_UNREADABLE")
        return decode(self._vault.open_events(subject, stream, part, sealed))


class _Stretch:
    """One write to one stream."""

    def __init__(
        self,
        vault: Vault,
        parts: EventParts,
        connection: Connection,
        subject: Subject,
        event: str,
        stream: bytes,
        following: int,
        summary: Summary,
    ) -> None:
        self._vault = vault
        self._parts = parts
        self._connection = connection
        self._subject = subject
        self._event = event
        self._stream = stream
        self._following = following
        self._summary = summary

    def chunks(self, parts: Iterable[int]) -> list[Chunk]:
        """The events of these parts."""
        return [self._open(part) for part in parts]

    def drop(self, parts: Iterable[int]) -> None:
        """Removes parts whose events are in others now."""
        self._parts.drop(self._connection, self._subject.subject_key, self._stream, parts)

    def close_oldest(self, chunk: Chunk, opened: Sequence[int]) -> None:
        """Closes all but the latest events of the open parts and the chunk: those may still get company."""
        everything = merge([*self.chunks(opened), chunk])
        self.drop(opened)
        *full, last = split(everything, CHUNK_ROWS)
        if len(last) < CHUNK_ROWS:
            last = merge([full.pop(), last])
        for one in full:
            self.add(one, closed=True)
        self.add(last, closed=False)

    def later(self, part: int, after_us: int) -> Chunk:
        """The events of a part that are later than a moment."""
        chunk = self._open(part)
        return _taken(chunk, range(bisect_right(chunk.times, after_us), len(chunk)))

    def place_late(self, chunk: Chunk) -> Chunk:
        """Puts the events that belong among closed parts there; returns the others."""
        rows = self._parts.read(self._connection, self._subject.subject_key, self._stream)
        closed = [(self._head(row), row.part) for row in rows if row.head is not None]
        closed.sort(key=lambda one: (one[0].first_us, one[0].first_number))
        lasts = [(head.last_us, head.last_number) for head, _ in closed]
        late: dict[int, list[int]] = {}
        kept: list[int] = []
        for index, place in enumerate(zip(chunk.times, chunk.numbers, strict=True)):
            position = bisect_left(lasts, place)
            (kept if position == len(closed) else late.setdefault(closed[position][1], [])).append(index)
        for part, indexes in late.items():
            whole = merge([self._open(part), _taken(chunk, indexes)])
            self.drop([part])
            rows_each = CHUNK_ROWS if len(whole) >= 2 * CHUNK_ROWS else len(whole)
            for piece in split(whole, rows_each):
                self.add(piece, closed=True)
        return _taken(chunk, kept) if late else chunk

    def _head(self, row: PartRow) -> Head:
        sealed = row.head or b""
        return Head.decode(self._vault.open_head(self._subject, self._stream, row.part, sealed))

    def _open(self, part: int) -> Chunk:
        sealed = self._parts.body(self._connection, self._subject.subject_key, self._stream, part)
        return decode(self._vault.open_events(self._subject, self._stream, part, sealed or b""))

    def add(self, chunk: Chunk, *, closed: bool) -> None:
        """Stores a part."""
        part = self._following
        self._following += 1
        body = self._vault.seal_events(self._subject, self._stream, part, encode(chunk))
        head = None
        if closed:
            summed = self._summary(self._event, chunk).encode()
            head = self._vault.seal_head(self._subject, self._stream, part, summed)
        row = PartRow(self._subject.subject_key, self._stream, part, len(chunk), head, body)
        self._parts.add(self._connection, [row])


def _of_one_size(opened: Sequence[tuple[int, int]], events: int) -> list[int]:
    """The open parts to merge with a new one of ``events`` events: those of its size, once they are many, and
    then those of the size that results.
    """
    taken: list[int] = []
    while True:
        size = _size(events)
        alike = [(part, count) for part, count in opened if part not in taken and _size(count) == size]
        if len(alike) + 1 < MERGED_PARTS:
            return taken
        taken += [part for part, _ in alike]
        events += sum(count for _, count in alike)


def _size(events: int) -> int:
    """0 for less than 16 events, 1 for less than 256, and so on."""
    return (max(events, 1).bit_length() - 1) // 4


def _taken(chunk: Chunk, indexes: Sequence[int]) -> Chunk:
    """The chunk's events at these places, in order."""
    return Chunk.of(
        (
            chunk.times[index],
            chunk.numbers[index],
            {name: values[index] for name, values in chunk.columns.items()},
        )
        for index in indexes
    )
