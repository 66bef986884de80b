"""Columns of a chunk of events: packed numbers, and everything else by the number of its value.

A column is a sequence of values in rule form, ``None`` where an event lacks the property. Beside that it
answers what the aggregates ask of it without making a Python object for each event.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from math import floor
from typing import Any, TypeAlias, overload

from segserver.events.definitions import DOUBLE_MAX

MICRO = 1_000_000
"""A double counts in a sum as so many millionths, rounded to the nearest, so that no order matters."""

Codes: TypeAlias = "bytes | array[int]"


class Numbers(Sequence[Any]):
    """Ints (timestamps among them) or doubles. ``there`` is 1 where there is one; ``None`` says everywhere.

    ``data`` holds a 0 where there is none. ``code`` is ``q`` for ints, ``d`` for doubles, and ``m`` for
    doubles that are whole millionths, as sums of money are: they are held as these.
    """

    __slots__ = ("_doubles", "_exact", "code", "data", "there")

    def __init__(self, code: str, data: array[Any], there: bytes | None) -> None:
        self.code = code
        self.data = data
        self.there = there
        self._doubles: array[float] | None = None
        self._exact: list[int] | None = None

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Any]:
        if self.there is None:
            return iter(self.plain())
        return (value if there else None for value, there in zip(self.plain(), self.there, strict=True))

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Numbers(self.code, self.data[index], None if self.there is None else self.there[index])
        return self.shown(self.data[index]) if self.there is None or self.there[index] else None

    def shown(self, number: Any) -> Any:
        """The value that an item of ``data`` stands for. Both are in the same order."""
        return number / MICRO if self.code == "m" else number

    def plain(self) -> array[Any]:
        """All values, 0 where there is none."""
        if self.code != "m":
            return self.data
        if self._doubles is None:
            self._doubles = array("d", [number / MICRO for number in self.data])
        return self._doubles

    def exact(self) -> Sequence[int]:
        """What is summed: ints themselves, doubles in millionths."""
        if self.code != "d":
            return self.data
        if self._exact is None:
            self._exact = [*map(millionths, self.data)]
        return self._exact


def millionths(value: float) -> int:
    """What a double counts in a sum."""
    return floor(value * 1e6 + 0.5)


class Coded(Sequence[Any]):
    """Values by their numbers in ``values``, the different ones of the column, ``None`` among them where an
    event has none."""

    __slots__ = ("codes", "values")

    def __init__(self, codes: Codes, values: list[Any]) -> None:
        self.codes = codes
        self.values = values

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[Any]:
        return map(self.values.__getitem__, self.codes)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Coded(self.codes[index], self.values)
        return self.values[self.codes[index]]

    def where(self, truths: Sequence[int]) -> bytes:
        """A byte for each event, ``truths`` being those of ``values``."""
        if isinstance(self.codes, bytes):
            return self.codes.translate(bytes(truths).ljust(256, b"\0"))
        return bytes(map(truths.__getitem__, self.codes))


Column: TypeAlias = Numbers | Coded


def packed(values: Sequence[Any]) -> Column:
    """The column of these values in rule form; itself if it is one already."""
    if isinstance(values, Numbers | Coded):
        return values
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {int} or kinds == {float}:
        there = None if None not in values else bytes([value is not None for value in values])
        return _numbers(values if there is None else [value or 0 for value in values], there, kinds == {int})
    different: dict[tuple[type, Any], int] = {}
    codes = [different.setdefault((type(value), value), len(different)) for value in values]
    return Coded(coded(codes, len(different)), [value for _, value in different])


def _numbers(values: Sequence[Any], there: bytes | None, ints: bool) -> Numbers:
    if ints:
        return Numbers("q", array("q", values), there)
    whole = [millionths(value) for value in values if abs(value) <= DOUBLE_MAX]
    if len(whole) == len(values) and all(
        number / MICRO == value for number, value in zip(whole, values, strict=True)
    ):
        return Numbers("m", array("q", whole), there)
    return Numbers("d", array("d", values), there)


def coded(codes: Sequence[int], different: int) -> Codes:
    """The codes in as few bytes as ``different`` values need."""
    if different <= 256:
        return bytes(codes)
    return array("H" if different <= 65_536 else "I", codes)


def raw(data: Codes | array[Any]) -> bytes:
    """The numbers' bytes, little-endian."""
    if isinstance(data, bytes):
        return data
    if sys.byteorder == "big":
        data = array(data.typecode, data)
        data.byteswap()
    return data.tobytes()


def unraw(code: str, data: bytes) -> array[Any]:
    """The array of these bytes; raises ``ValueError`` when they are no whole number of items."""
    made = array(code)
    made.frombytes(data)
    if sys.byteorder == "big":
        made.byteswap()
    return made
