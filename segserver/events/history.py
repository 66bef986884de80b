"""What is kept of a subject's events of one name: chunks in columns, and a head for each that says what is in
it.

The events of one name are in the order of their times, and at the same time in that of their numbers, which
the recording gives them. A chunk is read only when a question can't be answered from its head.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter, sub
from typing import Any

import msgspec

from segserver.errors import IntegrityError
from segserver.events.columns import Coded, Codes, Column, Numbers, packed, raw, unraw
from segserver.model import INT64_MAX

FORMAT = 1
"""Of an encoded chunk and head; another one is refused."""

CHUNK_ROWS = 4_096
"""Events of a chunk that is full."""


PARTIALS_MAX = 512
"""Partial results of a head; one more takes the place of the oldest, which a catalog of long ago needed."""


@dataclass(slots=True)
class Chunk:
    """Events of one subject and name, in order.

    ``times`` are microseconds since 1970 in UTC; ``numbers`` are those of the recording; ``columns`` hold the
    properties in rule form (a timestamp in microseconds), ``None`` where an event lacks one.
    """

    times: array[int]
    numbers: array[int]
    columns: dict[str, Sequence[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def of(cls, events: Iterable[tuple[int, int, Mapping[str, Any]]]) -> Chunk:
        """The chunk of events given in any order as (time, number, properties in rule form)."""
        ordered = sorted(events, key=itemgetter(0, 1))
        names = sorted({name for _, _, properties in ordered for name in properties})
        return cls(
            array("q", [time for time, _, _ in ordered]),
            array("q", [number for _, number, _ in ordered]),
            {name: [properties.get(name) for _, _, properties in ordered] for name in names},
        )


class _Column(msgspec.Struct, array_like=True):
    """``code`` is that of numbers (``q``, ``d``, ``m``) with ``there`` beside them, or of codes of ``values``
    in one, two or four bytes (``B``, ``H``, ``I``)."""

    code: str
    data: bytes
    there: bytes | None = None
    values: list[Any] = []


class _Stored(msgspec.Struct, array_like=True):
    format: int
    times: bytes
    numbers: bytes
    columns: dict[str, _Column]


_ENCODER = msgspec.msgpack.Encoder()
_CHUNKS = msgspec.msgpack.Decoder(_Stored)


def encode(chunk: Chunk) -> bytes:
    """The chunk as bytes: MessagePack around packed columns."""
    columns = {}
    for name, values in sorted(chunk.columns.items()):
        column = packed(values)
        if isinstance(column, Numbers):
            columns[name] = _Column(column.code, raw(column.data), column.there)
        else:
            code = "B" if isinstance(column.codes, bytes) else column.codes.typecode
            columns[name] = _Column(code, raw(column.codes), None, column.values)
    return _ENCODER.encode(_Stored(FORMAT, raw(chunk.times), raw(chunk.numbers), columns))


def decode(blob: bytes) -> Chunk:
    """The chunk that :func:`encode` made these bytes of. Raises :class:`IntegrityError` for any others."""
    try:
        stored = _CHUNKS.decode(blob)
        if stored.format != FORMAT:
            raise ValueError(stored.format)
        times, numbers = unraw("q", stored.times), unraw("q", stored.numbers)
        columns: dict[str, Sequence[Any]] = {
            name: _column(column, len(times)) for name, column in stored.columns.items()
        }
        if len(numbers) != len(times):
            raise ValueError("numbers")
    except (msgspec.MsgspecError, ValueError) as error:
        raise IntegrityError("a stored chunk of events can't be read", reason="CHUNK_UNREADABLE") from error
    return Chunk(times, numbers, columns)


def _column(stored: _Column, count: int) -> Column:
    if stored.code in ("q", "d", "m"):
        data = unraw("d" if stored.code == "d" else "q", stored.data)
        column: Column = Numbers(stored.code, data, stored.there)
        if stored.there is not None and len(stored.there) != count:
            raise ValueError("there")
    else:
        codes = stored.data if stored.code == "B" else unraw(stored.code, stored.data)
        column = Coded(codes, stored.values)
        if not _known(codes, len(stored.values)):
            raise ValueError("codes")
    if len(column) != count:
        raise ValueError("count")
    return column


def _known(codes: Codes, values: int) -> bool:
    """Whether each code is that of a value."""
    if isinstance(codes, bytes):
        return not codes.translate(None, bytes(range(min(values, 256))))
    return max(codes, default=-1) < values


def merge(chunks: Sequence[Chunk]) -> Chunk:
    """All their events in one chunk, in order."""
    if len(chunks) == 1:
        return chunks[0]
    keys = [
        (time, number) for chunk in chunks for time, number in zip(chunk.times, chunk.numbers, strict=True)
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    columns: dict[str, Sequence[Any]] = {}
    for name in sorted({name for chunk in chunks for name in chunk.columns}):
        values: list[Any] = []
        for chunk in chunks:
            values += chunk.columns[name] if name in chunk.columns else [None] * len(chunk)
        columns[name] = [values[index] for index in order]
    return Chunk(
        array("q", [keys[index][0] for index in order]),
        array("q", [keys[index][1] for index in order]),
        columns,
    )


def split(chunk: Chunk, rows: int) -> list[Chunk]:
    """The chunk in pieces of at most ``rows`` events, in order."""
    return [_piece(chunk, start, start + rows) for start in range(0, len(chunk), rows)]


def _piece(chunk: Chunk, start: int, end: int) -> Chunk:
    columns: dict[str, Sequence[Any]] = {
        name: list(values[start:end]) for name, values in chunk.columns.items()
    }
    return Chunk(chunk.times[start:end], chunk.numbers[start:end], columns)


class Head(msgspec.Struct, array_like=True, frozen=True):
    """What is in a chunk: its first and last event's time and number, how many there are, the longest time
    from one to the next, and the partial results of aggregates over all of it, by the digests of what they
    are (:mod:`segserver.events.measures`).
    """

    first_us: int
    first_number: int
    last_us: int
    last_number: int
    count: int
    widest_us: int
    partials: dict[bytes, Any] = {}

    @classmethod
    def of(cls, chunk: Chunk, partials: Mapping[bytes, Any] | None = None) -> Head:
        """The head of a chunk that is not empty."""
        times, numbers = chunk.times, chunk.numbers
        widest = max(map(sub, times[1:], times), default=0)
        return cls(times[0], numbers[0], times[-1], numbers[-1], len(chunk), widest, dict(partials or {}))

    def encode(self) -> bytes:
        """The head as bytes."""
        return _ENCODER.encode((FORMAT, self))

    @staticmethod
    def decode(blob: bytes) -> Head:
        """The head that was encoded. Raises :class:`IntegrityError` for any other bytes."""
        try:
            version, head = _HEADS.decode(blob)
            if version != FORMAT:
                raise ValueError(version)
        except (msgspec.MsgspecError, ValueError) as error:
            raise IntegrityError("a stored head of events can't be read", reason="HEAD_UNREADABLE") from error
        return head


_HEADS = msgspec.msgpack.Decoder(tuple[int, Head])


@dataclass(frozen=True, slots=True)
class Part:
    """A chunk's head, and how to read the chunk. What is learned of a chunk that is not ``closed``, because
    more events are still to come to it, is not worth keeping."""

    head: Head
    open: Callable[[], Chunk]
    closed: bool = True


class History:
    """One subject's events of one name, as parts in any order.

    Parts that overlap are read together. A history serves one thread at a time.
    """

    def __init__(self, parts: Sequence[Part] = ()) -> None:
        order = sorted(
            (index for index, part in enumerate(parts) if part.head.count),
            key=lambda index: (parts[index].head.first_us, parts[index].head.first_number),
        )
        self.pieces: list[Piece] = []
        for index in order:
            part = parts[index]
            if self.pieces and self.pieces[-1].overlaps(part.head):
                self.pieces[-1].join(part)
            else:
                self.pieces.append(Piece(index, part))
        self.firsts = [piece.first_us for piece in self.pieces]
        self.lasts = [piece.last_us for piece in self.pieces]

    @classmethod
    def of(cls, *chunks: Chunk) -> History:
        """The history of chunks that are in memory."""
        return cls([Part(Head.of(chunk), partial(_same, chunk)) for chunk in chunks if len(chunk)])

    @property
    def fresh(self) -> dict[int, Head]:
        """The heads of closed parts that gained partial results in evaluations, by the positions of the parts
        given: for a store to keep in place of the old ones."""
        return {piece.index: piece.head() for piece in self.pieces if piece.learned}

    def between(self, after: int, until: int) -> list[Piece]:
        """The pieces that may hold events with ``after < time <= until``, in order."""
        if after >= until:
            return []
        return self.pieces[bisect_right(self.lasts, after) : bisect_right(self.firsts, until)]


def _same(chunk: Chunk) -> Chunk:
    return chunk


class Piece:
    """A part of a history, or several that overlap, opened once and when needed.

    ``index`` is the place of the part, and ``partials`` are those of its head, with what is learned.
    """

    __slots__ = (
        "_chunk",
        "_last",
        "_parts",
        "cache",
        "first_us",
        "index",
        "last_us",
        "learned",
        "partials",
        "widest_us",
    )

    def __init__(self, index: int, part: Part) -> None:
        head = part.head
        self.index = index
        self.first_us, self.last_us, self.widest_us = head.first_us, head.last_us, head.widest_us
        self.partials = head.partials
        self.learned = False
        self.cache: dict[Any, Any] = {}
        self._last = (head.last_us, head.last_number)
        self._parts = [part]
        self._chunk: Chunk | None = None

    def overlaps(self, head: Head) -> bool:
        """Whether a part that begins later begins before the last event here."""
        return (head.first_us, head.first_number) < self._last

    def join(self, part: Part) -> None:
        """Adds a part that overlaps; what the heads say of each alone counts no more."""
        self._parts.append(part)
        self._last = max(self._last, (part.head.last_us, part.head.last_number))
        self.last_us = self._last[0]
        self.partials = {}
        self.widest_us = INT64_MAX

    def chunk(self) -> Chunk:
        """The events."""
        if self._chunk is None:
            self._chunk = merge([part.open() for part in self._parts])
        return self._chunk

    def learn(self, digest: bytes, partial: Any) -> None:
        """Takes a partial result over all events of a closed part to its others."""
        if len(self._parts) > 1 or not self._parts[0].closed:
            return
        if not self.learned:
            self.partials = dict(self.partials)
            self.learned = True
        while len(self.partials) >= PARTIALS_MAX:
            del self.partials[next(iter(self.partials))]
        self.partials[digest] = partial

    def head(self) -> Head:
        """The part's head with what was learned."""
        return msgspec.structs.replace(self._parts[0].head, partials=self.partials)
