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
from itertools import compress
from operator import itemgetter
from typing import Any, Final

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
        return self._merge([self.part(piece, after, until) for piece in history.between(after, until)])

    def part(self, piece: Piece, after: int, until: int) -> Any:
        """The partial result over a piece's events with ``after < time <= until``: from the head if it is
        about all of them."""
        if after < piece.first_us and piece.last_us <= until:
            known = piece.partials.get(self.digest, MISSING)
            if known is MISSING:
                opened = open_piece(piece)
                known = self._take(opened, 0, len(opened.chunk))
                if self._fits(known):
                    piece.learn(self.digest, known)
            return known
        opened = open_piece(piece)
        times = opened.chunk.times
        return self._take(opened, bisect_right(times, after), bisect_right(times, until))

    def next_after(self, history: History, after: int) -> int | None:
        """The time of the first event later than ``after`` that counts."""
        for piece in history.between(after, INT64_MAX):
            if after < piece.first_us and self._is_empty(piece.partials.get(self.digest, MISSING)):
                continue
            opened = open_piece(piece)
            times = opened.chunk.times
            start, mask = bisect_right(times, after), self.mask(opened)
            found = start if mask is None else mask.find(1, start)
            if 0 <= found < len(times):
                return times[found]
        return None

    def summary(self, opened: Opened) -> Any:
        """The partial result over a whole chunk, or :data:`MISSING` when a head can't keep it."""
        partial = self._take(opened, 0, len(opened.chunk))
        return partial if self._fits(partial) else MISSING

    def _fits(self, _partial: Any) -> bool:
        """Whether a head can keep the partial result."""
        return True

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

    def _fits(self, partial: list[int]) -> bool:
        return INT64_MIN <= partial[1] <= INT64_MAX

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
        return found if found is None else found + 0  # no minus zero

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
    """The different values: a list; of several pieces a set."""

    def _take(self, opened: Opened, start: int, end: int) -> list[Any]:
        assert self.of is not None  # noqa: S101 - the compiler has seen to it
        column, mask = opened.column(*self.of), self.mask(opened)
        if column is None:
            return []
        codes = (column.codes if isinstance(column, Coded) else column.data)[start:end]
        found = set(codes if mask is None else compress(codes, mask[start:end]))
        return [column.values[code] for code in found] if isinstance(column, Coded) else list(found)

    def _merge(self, partials: Sequence[list[Any]]) -> set[Any]:
        return set().union(*partials)

    def _fits(self, partial: list[Any]) -> bool:
        return len(partial) <= VALUES_MAX


class Frequencies(Measure):
    """How often each value occurs, or the sum of its weights, of doubles in millionths: a map."""

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

    def _merge(self, partials: Sequence[dict[str, int]]) -> dict[str, int]:
        merged: dict[str, int] = {}
        for partial in partials:
            for value, amount in partial.items():
                merged[value] = merged.get(value, 0) + amount
        return merged

    def _fits(self, partial: dict[str, int]) -> bool:
        return len(partial) <= VALUES_MAX and all(INT64_MIN <= v <= INT64_MAX for v in partial.values())


class Times(Measure):
    """The times of the latest events that count, as many as :data:`GAPS_MAX` gaps need: as bytes in a head,
    as a list when put together."""

    def over(self, history: History, after: int, until: int) -> list[int]:
        """The times of the latest of them, in order."""
        runs: list[array[int]] = []
        count = 0
        for piece in reversed(history.between(after, until)):
            runs.append(unraw("q", self.part(piece, after, until)))
            count += len(runs[-1])
            if count > GAPS_MAX:
                break
        return self._merge(runs[::-1])

    def _take(self, opened: Opened, start: int, end: int) -> bytes:
        mask, times = self.mask(opened), opened.chunk.times[start:end]
        return raw(times if mask is None else array("q", compress(times, mask[start:end])))

    def _merge(self, partials: Sequence[Iterable[int]]) -> list[int]:
        return [time for run in partials for time in run][-GAPS_MAX - 1 :]

    def _fits(self, partial: bytes) -> bool:
        return len(partial) <= 8 * TIMES_MAX
