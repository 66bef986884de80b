"""What an aggregate takes of events: of a range of a chunk, and put together of several chunks.

A measure is an aggregate without its window, so that one partial result of a chunk serves every window that
covers all of it. The partial results are what a head keeps: numbers, texts, lists and maps of them.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress
from operator import itemgetter
from typing import Any, Final

import msgspec

from segserver.events.columns import Coded, Numbers, raw, unraw
from segserver.events.conditions import Condition, Opened, both
from segserver.events.definitions import GAPS_MAX
from segserver.events.history import History, Piece
from segserver.model import INT64_MAX, INT64_MIN, TypeName

FORMAT = 1
"""Rises when a partial result comes to mean something else, so that those in old heads count no more."""

VALUES_MAX = 256
"""A head keeps the different values of a chunk up to so many; a chunk with more is opened."""

TIMES_MAX = 64
"""A head keeps the times of a chunk's events up to so many; for more, the chunk is opened."""

MISSING: Final = object()

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder()

_MANY = 8
"""From so many pieces on, those in the middle are taken together."""


@dataclass(frozen=True)
class Measure(ABC):
    """An aggregate over events of one name that fulfil ``where`` and have ``of`` and ``weight``, which are a
    property's name and type."""

    event: str
    where: Condition | None
    of: tuple[str, TypeName] | None = None
    weight: tuple[str, TypeName] | None = None
    digest: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        where = "" if self.where is None else self.where.text
        text = repr((FORMAT, type(self).__name__, self.event, where, self.of, self.weight))
        object.__setattr__(self, "digest", hashlib.sha256(text.encode()).digest()[:12])

    def mask(self, opened: Opened) -> bytes | None:
        """A 1 for each event that counts; ``None`` when all do."""
        masks = opened.masks
        if self.digest not in masks:
            masks[self.digest] = self._mask(opened)
        return masks[self.digest]

    def _mask(self, opened: Opened) -> bytes | None:
        mask = None
        if self.where is not None:
            key = self.where.text
            mask = opened.masks.get(key) or self.where.root.mask(opened)
            opened.masks[key] = mask
        for needed in (self.of, self.weight):
            if needed is None:
                continue
            column = opened.column(*needed)
            if column is None:
                return bytes(len(opened.chunk))
            if isinstance(column, Numbers):
                there = column.there
            else:
                there = (
                    column.where([value is not None for value in column.values])
                    if None in column.values
                    else None
                )
            if there is not None:
                mask = there if mask is None else both(mask, there)
        return mask

    def over(self, history: History, after: int, until: int) -> Any:
        """The result over the events with ``after < time <= until``."""
        pieces = history.between(after, until)
        if len(pieces) < _MANY:
            return self._merge([self.part(piece, after, until) for piece in pieces])
        known = [piece.partials.get(self.digest, MISSING) for piece in pieces]
        for index in (0, -1):
            known[index] = self.part(pieces[index], after, until)
        for index, partial in enumerate(known):
            if partial is MISSING:
                known[index] = self.part(pieces[index], after, until)
        return self._merge(known)

    def part(self, piece: Piece, after: int, until: int) -> Any:
        """The partial result over a piece's events with ``after < time <= until``: from the head if it is
        about all of them."""
        if after < piece.first_us and piece.last_us <= until:
            known = piece.partials.get(self.digest, MISSING)
            if known is MISSING:
                opened = open_piece(piece)
                known = self._take(opened, 0, len(opened.chunk))
                kept = self._kept(known)
                if kept is not MISSING:
                    piece.learn(self.digest, kept)
            return known
        opened = open_piece(piece)
        times = opened.chunk.times
        return self._take(opened, bisect_right(times, after), bisect_right(times, until))

    def next_after(self, history: History, after: int) -> int | None:
        """The time of the first event later than ``after`` that counts."""
        for piece in history.between(after, INT64_MAX):
            if self.none_in(piece):
                continue
            opened = open_piece(piece)
            times = opened.chunk.times
            start, mask = bisect_right(times, after), self.mask(opened)
            found = start if mask is None else mask.find(1, start)
            if 0 <= found < len(times):
                return times[found]
        return None

    def last_until(self, history: History, after: int, until: int) -> int | None:
        """The time of the last event with ``after < time <= until`` that counts."""
        for piece in reversed(history.between(after, until)):
            if self.none_in(piece):
                continue
            opened = open_piece(piece)
            times, mask = opened.chunk.times, self.mask(opened)
            end = bisect_right(times, until)
            found = end - 1 if mask is None else mask.rfind(1, 0, end)
            if found >= 0:
                return times[found] if times[found] > after else None
        return None

    def none_in(self, piece: Piece) -> bool:
        """Whether the head says that none of a piece's events counts."""
        return self._is_empty(piece.partials.get(self.digest, MISSING))

    def summary(self, opened: Opened) -> Any:
        """The partial result over a whole chunk, or :data:`MISSING` when a head can't keep it."""
        return self._kept(self._take(opened, 0, len(opened.chunk)))

    def _kept(self, partial: Any) -> Any:
        """A partial result as a head keeps it, or :data:`MISSING` when it can't. Empty ones are false."""
        return partial

    def _is_empty(self, partial: Any) -> bool:
        """Whether a partial result says that no event counts."""
        return partial is not MISSING and not partial

    @abstractmethod
    def _take(self, opened: Opened, start: int, end: int) -> Any:
        """The partial result over a range of a chunk."""

    @abstractmethod
    def _merge(self, partials: Sequence[Any]) -> Any:
        """The result of those of pieces in order."""


def open_piece(piece: Piece) -> Opened:
    """The piece's events, to be asked about."""
    opened: Opened | None = piece.cache.get("opened")
    if opened is None:
        opened = piece.cache["opened"] = Opened(piece.chunk())
    return opened


class Count(Measure):
    """How many events: an int."""

    def _take(self, opened: Opened, start: int, end: int) -> int:
        mask = self.mask(opened)
        return end - start if mask is None else mask.count(1, start, end)

    def _merge(self, partials: Sequence[int]) -> int:
        return sum(partials)


class Total(Measure):
    """How many events have the property, and the exact sum, of doubles in millionths: ``[count, sum]``."""

    def _take(self, opened: Opened, start: int, end: int) -> list[int]:
        assert self.of is not None  # noqa: S101 - the compiler has seen to it
        column, mask = opened.column(*self.of), self.mask(opened)
        if column is None:
            return [0, 0]
        assert isinstance(column, Numbers)  # noqa: S101 - by its type
        values = column.exact()[start:end]
        if mask is None:
            return [len(values), sum(values)]
        return [mask.count(1, start, end), sum(compress(values, mask[start:end]))]

    def _merge(self, partials: Sequence[list[int]]) -> list[int]:
        return [sum(map(itemgetter(0), partials)), sum(map(itemgetter(1), partials))]

    def _kept(self, partial: list[int]) -> Any:
        return partial if INT64_MIN <= partial[1] <= INT64_MAX else MISSING

    def _is_empty(self, partial: Any) -> bool:
        return partial is not MISSING and partial[0] == 0


class Extreme(Measure):
    """The least or the greatest value, or ``None``."""

    choose: Any

    def _take(self, opened: Opened, start: int, end: int) -> Any:
        assert self.of is not None  # noqa: S101 - the compiler has seen to it
        column, mask = opened.column(*self.of), self.mask(opened)
        if column is None:
            return None
        assert isinstance(column, Numbers)  # noqa: S101 - by its type
        values = column.data[start:end]
        found = self.choose(values if mask is None else compress(values, mask[start:end]), default=None)
        return found if found is None else column.shown(found) + 0  # no minus zero

    def _merge(self, partials: Sequence[Any]) -> Any:
        return self.choose((partial for partial in partials if partial is not None), default=None)

    def _is_empty(self, partial: Any) -> bool:
        return partial is None


class Least(Extreme):
    """The least value, or ``None``."""

    choose = staticmethod(min)


class Greatest(Extreme):
    """The greatest value, or ``None``."""

    choose = staticmethod(max)


class First(Measure):
    """The first event that counts: ``[time, value]``, or ``None``."""

    def over(self, history: History, after: int, until: int) -> Any:
        """The first of them."""
        return self._nearest(history.between(after, until), after, until)

    def _nearest(self, pieces: Iterable[Piece], after: int, until: int) -> Any:
        for piece in pieces:
            found = self.part(piece, after, until)
            if found is not None:
                return found
        return None

    def _take(self, opened: Opened, start: int, end: int) -> Any:
        if start >= end:
            return None
        mask = self.mask(opened)
        index = self._find(mask, start, end)
        if index < 0:
            return None
        column = None if self.of is None else opened.column(*self.of)
        return [opened.chunk.times[index], None if column is None else column[index]]

    def _find(self, mask: bytes | None, start: int, end: int) -> int:
        """The index of the event, or -1."""
        return start if mask is None else mask.find(1, start, end)

    def _merge(self, partials: Sequence[Any]) -> Any:
        return next((partial for partial in partials if partial is not None), None)

    def _is_empty(self, partial: Any) -> bool:
        return partial is None


class Last(First):
    """The last event that counts: ``[time, value]``, or ``None``."""

    def over(self, history: History, after: int, until: int) -> Any:
        """The last of them."""
        return self._nearest(reversed(history.between(after, until)), after, until)

    def _find(self, mask: bytes | None, start: int, end: int) -> int:
        return end - 1 if mask is None else mask.rfind(1, start, end)


class Distinct(Measure):
    """The different values: in a head as bytes, so that chunks with the same ones are told at a glance; a set
    when put together."""

    def _take(self, opened: Opened, start: int, end: int) -> bytes | set[Any]:
        assert self.of is not None  # noqa: S101 - the compiler has seen to it
        column, mask = opened.column(*self.of), self.mask(opened)
        if column is None:
            return set()
        codes = (column.codes if isinstance(column, Coded) else column.data)[start:end]
        found = set(codes if mask is None else compress(codes, mask[start:end]))
        return {column.values[code] for code in found} if isinstance(column, Coded) else found

    def _merge(self, partials: Sequence[bytes | set[Any]]) -> set[Any]:
        packed = {partial for partial in partials if isinstance(partial, bytes) and partial}
        taken = [partial for partial in partials if isinstance(partial, set)]
        return set().union(*taken, *map(_DECODER.decode, packed))

    def _kept(self, partial: set[Any]) -> Any:
        if len(partial) > VALUES_MAX:
            return MISSING
        return _ENCODER.encode(sorted(partial)) if partial else b""


class Frequencies(Measure):
    """How often each value occurs, or the sum of its weights, of doubles in millionths: a map; in a head as
    bytes, which only those read who ask."""

    def _take(self, opened: Opened, start: int, end: int) -> dict[str, int]:
        assert self.of is not None  # noqa: S101 - the compiler has seen to it
        column, mask = opened.column(*self.of), self.mask(opened)
        if column is None:
            return {}
        assert isinstance(column, Coded)  # noqa: S101 - by its type
        codes: Iterable[int] = column.codes[start:end]
        if mask is not None:
            codes = compress(codes, mask[start:end])
        if self.weight is None:
            return {column.values[code]: count for code, count in Counter(codes).items()}
        weights = opened.column(*self.weight)
        if weights is None:
            return {}
        assert isinstance(weights, Numbers)  # noqa: S101 - by its type
        given: Iterable[int] = weights.exact()[start:end]
        if mask is not None:
            given = compress(given, mask[start:end])
        sums: dict[int, int] = {}
        for code, weight in zip(codes, given, strict=True):
            sums[code] = sums.get(code, 0) + weight
        return {column.values[code]: total for code, total in sums.items()}

    def _merge(self, partials: Sequence[bytes | dict[str, int]]) -> dict[str, int]:
        merged: dict[str, int] = {}
        for partial in partials:
            amounts = partial if isinstance(partial, dict) else _DECODER.decode(partial) if partial else {}
            for value, amount in amounts.items():
                merged[value] = merged.get(value, 0) + amount
        return merged

    def _kept(self, partial: dict[str, int]) -> Any:
        amounts = partial.values()
        if len(partial) > VALUES_MAX or (partial and (min(amounts) < INT64_MIN or max(amounts) > INT64_MAX)):
            return MISSING
        return _ENCODER.encode(partial) if partial else b""


class Times(Measure):
    """The times of the latest events that count, as many as :data:`GAPS_MAX` gaps need: as bytes in a head,
    as a list when put together."""

    def over(self, history: History, after: int, until: int) -> list[int]:
        """The times of the latest of them, in order."""
        runs: list[Any] = []
        count = 0
        for piece in reversed(history.between(after, until)):
            known = self.part(piece, after, until)
            runs.append(unraw("q", known) if isinstance(known, bytes) else known)
            count += len(runs[-1])
            if count > GAPS_MAX:
                break
        return self._merge(runs[::-1])

    def _take(self, opened: Opened, start: int, end: int) -> list[int]:
        mask, times = self.mask(opened), opened.chunk.times[start:end]
        return list(times if mask is None else compress(times, mask[start:end]))

    def _merge(self, partials: Sequence[Sequence[int]]) -> list[int]:
        return list(chain.from_iterable(partials))[-GAPS_MAX - 1 :]

    def _kept(self, partial: list[int]) -> Any:
        return raw(array("q", partial)) if len(partial) <= TIMES_MAX else MISSING
