"""CEL's timestamp and duration functions in Polars.

Time zones come from the same database as the scalar form's. Polars carries a copy of its own, which knows
no rule after 2100 and merges zones that differed before 1970. So a zone becomes a table of the moments when
its offset changes, and a row takes the offset of the last one before it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

import polars as pl

from segserver.rules import calendar
from segserver.rules.polars_column import Column, column, derived, dtype, literal, when
from segserver.rules.polars_distinct import by_distinct
from segserver.rules.scalars import SCALARS
from segserver.rules.times import SECOND, TIMESTAMP_MAX, TIMESTAMP_MIN

_WEEK: Final = 7 * 86_400
ZONE_FIRST, ZONE_LAST = -3_653 * _WEEK, 6_783 * _WEEK
"""Seconds since 1970: the table of a zone spans 1900 to 2099. Rows outside are left to the scalar form."""

PARTS: Final[dict[str, tuple[Callable[[pl.Expr], pl.Expr], int, int, int]]] = {
    "year": (lambda t: t.dt.year(), 0, 1, 9999),
    "month": (lambda t: t.dt.month(), -1, 0, 11),
    "day_of_month_1_based": (lambda t: t.dt.day(), 0, 1, 31),
    "day_of_month": (lambda t: t.dt.day(), -1, 0, 30),
    "day_of_week": (lambda t: t.dt.weekday() % 7, 0, 0, 6),
    "day_of_year": (lambda t: t.dt.ordinal_day(), -1, 0, 365),
    "hours": (lambda t: t.dt.hour(), 0, 0, 23),
    "minutes": (lambda t: t.dt.minute(), 0, 0, 59),
    "seconds": (lambda t: t.dt.second(), 0, 0, 59),
    "milliseconds": (lambda t: t.dt.millisecond(), 0, 0, 999),
}
"""The accessors by their name in CEL's overload: Polars' part, what is added to it, its least and greatest
value.
"""

_UNITS: Final = {"hours": 3_600 * SECOND, "minutes": 60 * SECOND, "seconds": SECOND}


def accessor(part: str) -> Callable[[Column], Column]:
    """``timestamp.getHours()`` and the like, in UTC."""
    read, added, low, high = PARTS[part]

    def calculate(moment: Column) -> Column:
        value = _counted(read(moment.expr), added)
        return derived((moment,), value, "int", low=low, high=high)

    return calculate


def zoned_accessor(part: str) -> Callable[[Column, Column], Column | None]:
    """``timestamp.getHours("Europe/Paris")`` and the like, for a constant zone."""
    read, added, low, high = PARTS[part]
    scalar = SCALARS[f"timestamp_to_{part}_with_tz"]

    def calculate(moment: Column, zone: Column) -> Column | None:
        if not zone.constant:
            return None
        place = calendar.zone(zone.value)
        if place is None:
            return literal(None, "int")
        if isinstance(place, int):
            local = (moment.expr.to_physical() + place).cast(pl.Datetime("us"))
            return derived((moment,), _counted(read(local), added), "int", low=min(low, 0), high=high + 1)
        changes, offsets = _zone_table(zone.value)
        instant = moment.expr.to_physical()
        row = pl.lit(changes).search_sorted(instant, side="right").cast(pl.Int64()) - 1
        local = (instant + pl.lit(offsets).gather(row, null_on_oob=True)).cast(pl.Datetime("us"))
        inside = instant.is_between(ZONE_FIRST * SECOND, ZONE_LAST * SECOND, closed="left")
        # The scalar form sees only the rows outside: the others are null to it.
        outside = by_distinct(
            lambda t: scalar(t, zone.value), [pl.when(~inside).then(moment.expr)], ["timestamp"], "int"
        )
        value = _counted(read(local), added)
        return column(pl.when(inside).then(value).otherwise(outside), "int", low=low, high=high)

    return calculate


def duration_part(part: str) -> Callable[[Column], Column]:
    """``duration.getHours()`` and the like: the whole duration in that unit, but for milliseconds, which are
    those within the second.
    """

    def calculate(span: Column) -> Column:
        microseconds = span.expr.to_physical()
        if part == "milliseconds":
            value = _truncate(microseconds, 1_000) - _truncate(microseconds, SECOND) * 1_000
        else:
            value = _truncate(microseconds, _UNITS[part])
        limit = max(abs(span.low), abs(span.high))
        return derived((span,), value, "int", low=-limit, high=limit)

    return calculate


def to_seconds(moment: Column) -> Column:
    """``int(timestamp)``: whole seconds since 1970, rounded down."""
    return derived(
        (moment,),
        moment.expr.to_physical() // SECOND,
        "int",
        low=moment.low // SECOND,
        high=moment.high // SECOND,
    )


def from_seconds(seconds: Column) -> Column:
    """``timestamp(int)``; beyond the years 1 to 9999 it is unknown."""
    first, last = TIMESTAMP_MIN // SECOND, TIMESTAMP_MAX // SECOND
    moment = (seconds.expr * SECOND).cast(dtype("timestamp"))
    if first <= seconds.low and seconds.high <= last:
        return derived((seconds,), moment, "timestamp")
    return column(when(seconds.expr.is_between(first, last), moment), "timestamp")


def _counted(part: pl.Expr, added: int) -> pl.Expr:
    """A part of a date as CEL counts it."""
    number = part.cast(dtype("int"))
    return number + added if added else number


def _truncate(microseconds: pl.Expr, unit: int) -> pl.Expr:
    negative = (microseconds + (unit - 1)) // unit
    return pl.when(microseconds < 0).then(negative).otherwise(microseconds // unit)


@functools.lru_cache(maxsize=256)
def _zone_table(zone: str) -> tuple[pl.Series, pl.Series]:
    """The moments when the zone's offset changes, and the offset from each on; both in microseconds.

    No zone of the database changes twice in a week, so a look every week finds every change.
    """
    changes, offsets = [ZONE_FIRST], [_offset(ZONE_FIRST, zone)]
    for week in range(ZONE_FIRST, ZONE_LAST, _WEEK):
        offset = _offset(week + _WEEK, zone)
        if offset != offsets[-1]:
            before, after = week, week + _WEEK
            while after - before > 1:
                middle = (before + after) // 2
                before, after = (middle, after) if _offset(middle, zone) == offsets[-1] else (before, middle)
            changes.append(after)
            offsets.append(offset)
    moments = pl.Series([second * SECOND for second in changes], dtype=pl.Int64())
    return moments, pl.Series(offsets, dtype=pl.Int64())


def _offset(second: int, zone: str) -> int:
    moment = calendar.local(second * SECOND, zone)
    if moment is None:
        raise ValueError(zone)
    return moment - second * SECOND
