"""Computed attributes of a whole table of subjects: one grouped Polars pass for each event name.

The answers are those of :mod:`segserver.events.online`, subject by subject. What a pass aggregates are
columns that are null where an event does not count: Polars sums and compares them without looking at single
groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import polars as pl

from segserver.events import windows
from segserver.events.bulk_passes import VALUE, gaps, most_frequent, sequences, session_starts
from segserver.events.bulk_table import ROW, SUBJECT, TICK, Between, Frame, Table
from segserver.events.bulk_values import COUNT, LENGTH, RESULT, compared, value_of
from segserver.events.conditions import PREFIX
from segserver.events.definitions import SUBJECT_TIME_ZONE
from segserver.events.measures import (
    Count,
    Distinct,
    First,
    Frequencies,
    Greatest,
    Last,
    Least,
    Measure,
    Times,
    Total,
)
from segserver.events.plans import Plan
from segserver.events.program import ComputedProgram
from segserver.events.windows import BEGINNING, Window
from segserver.rules.polars_column import dtype

ZONE = "zone"

_NO_FLOORS: Mapping[str, int] = {}

Bound: TypeAlias = "int | pl.Series"
"""A time in microseconds: one for all subjects, or one for each, null where a window can't be told."""


def bulk(
    program: ComputedProgram,
    wanted: Iterable[str],
    frames: Mapping[str, Frame],
    subjects: pl.DataFrame,
    now_us: int,
    floors: Mapping[str, int] = _NO_FLOORS,
) -> pl.DataFrame:
    """The wanted attributes at ``now_us`` of all subjects, in their order: the column ``subject``, and one
    for each attribute, null where it has no value.

    ``frames`` are the events by name, in any order, with the columns ``subject``, ``time`` (``Datetime("us",
    "UTC")``), ``number`` and the properties; one that lacks a property's column has none. Events of other
    subjects don't count. ``subjects`` has a column ``subject`` without duplicates, and ``zone`` for the
    subjects' time zones, which may be left out. ``floors`` are as in :meth:`ComputedProgram.evaluate`.

    Raises :class:`~segserver.errors.InvalidInput` for a column that is missing or of another type.
    """
    return _Run(program, frames, subjects, now_us, floors).answers(list(dict.fromkeys(wanted)))


@dataclass(frozen=True, slots=True)
class _Bounds:
    after: Bound
    until: Bound
    length: pl.Series | int
    """In microseconds, for a rate."""


@dataclass(slots=True)
class _Ask:
    """A measure over a window, once for all attributes that need it, and the columns of its result."""

    measure: Measure
    bounds: _Bounds
    plan: Plan
    columns: dict[str, pl.Series] = field(default_factory=dict)


class _Run:
    def __init__(
        self,
        program: ComputedProgram,
        frames: Mapping[str, Frame],
        subjects: pl.DataFrame,
        now: int,
        floors: Mapping[str, int],
    ) -> None:
        self._program = program
        self._frames = frames
        self._subjects = subjects
        self._rows = subjects.select(SUBJECT).with_row_index(ROW).select(ROW)
        self._now = now
        self._floors = floors
        self._tables: dict[str, Table] = {}
        self._bounds: dict[tuple[Window, str, str], _Bounds] = {}
        self._asks: dict[tuple[object, ...], _Ask] = {}

    def answers(self, wanted: Sequence[str]) -> pl.DataFrame:
        """The subjects with their values."""
        plans = {name: self._program.plan(name) for name in wanted}
        for event in sorted(self._program.events_of(wanted)):
            self._tables[event] = self._table(event, [*plans.values()])
        asked = {name: [self._ask(plan, window) for window in plan.windows] for name, plan in plans.items()}
        for event, table in self._tables.items():
            self._aggregate(table, [ask for ask in self._asks.values() if ask.measure.event == event])
        columns = [self._values(plans[name], asks).rename(name) for name, asks in asked.items()]
        return pl.DataFrame([self._subjects[SUBJECT], *columns])

    def _table(self, event: str, plans: Sequence[Plan]) -> Table:
        properties = self._program.events[event].properties
        names = sorted({name for plan in plans for of, name in plan.reads if of == event and name})
        types = {name: properties[name].type for name in names}
        floor = self._floors.get(event, BEGINNING)
        return Table.of(self._frames.get(event), types, self._subjects, floor, self._now)

    def _ask(self, plan: Plan, window: Window) -> _Ask:
        zone = plan.definition.time_zone if window.kind == "calendar" else ""
        follow = plan.follow
        follows = None if follow is None else (follow.measure.digest, follow.within)
        key = (plan.measure.digest, window, zone, plan.definition.top, follows)
        if key not in self._asks:
            self._asks[key] = _Ask(plan.measure, self._window(window, plan.measure.event, zone), plan)
        return self._asks[key]

    def _window(self, window: Window, event: str, zone: str) -> _Bounds:
        key = (window, event, zone)
        if key not in self._bounds:
            after, until = self._resolved(window, event, zone)
            self._bounds[key] = _Bounds(after, until, self._length(event, after, until))
        return self._bounds[key]

    def _resolved(self, window: Window, event: str, zone: str) -> tuple[Bound, Bound]:
        match window.kind:
            case "sliding":
                return self._now - window.before - window.length, self._now - window.before
            case "calendar":
                return self._calendar(window.period, zone)
            case "since":
                last = (
                    self._tables[window.event].frame.lazy().group_by(ROW).agg(pl.col(TICK).max().alias(VALUE))
                )
                return self._per_subject(last).fill_null(BEGINNING), self._now
            case "session":
                table = self._tables[event]
                table.sort()
                starts = self._per_subject(session_starts(table, window.length, self._now))
                return (starts - 1).fill_null(self._now), self._now
            case "all":
                return BEGINNING, self._now

    def _calendar(self, period: str, zone: str) -> tuple[Bound, Bound]:
        if zone != SUBJECT_TIME_ZONE:
            after, until = windows.calendar(period, self._now, zone) or (0, 0)
            return after, until
        count = len(self._subjects)
        zones = (
            self._subjects[ZONE]
            if ZONE in self._subjects.columns
            else pl.Series([None] * count, dtype=pl.String)
        )
        found = {name: windows.calendar(period, self._now, name) for name in zones.unique().to_list() if name}
        known = {name: bounds for name, bounds in found.items() if bounds is not None}
        first, second = (
            zones.replace_strict(
                [*known], [bounds[end] for bounds in known.values()], default=None, return_dtype=pl.Int64
            )
            for end in (0, 1)
        )
        return first, second

    def _length(self, event: str, after: Bound, until: Bound) -> pl.Series | int:
        if isinstance(after, int) and isinstance(until, int) and after > BEGINNING:
            return until - after
        table = self._tables[event]
        first = self._per_subject(table.frame.lazy().group_by(ROW).agg(pl.col(TICK).min().alias(VALUE)))
        begins = pl.Series([after] * len(first), dtype=pl.Int64) if isinstance(after, int) else after
        starts = pl.select(pl.when(begins > BEGINNING).then(begins).otherwise(first - 1)).to_series()
        return until - starts

    def _per_subject(self, found: pl.LazyFrame) -> pl.Series:
        """The column :data:`VALUE` for each subject, in order; null where there is none."""
        return self._aligned(found.collect())[VALUE]

    def _aligned(self, found: pl.DataFrame) -> pl.DataFrame:
        return self._rows.join(found, on=ROW, how="left", maintain_order="left")

    def _aggregate(self, table: Table, asks: Sequence[_Ask]) -> None:
        """Fills the asks' columns."""
        if any(_needs_order(ask) for ask in asks):
            table.sort()
        exprs: list[pl.Expr] = []
        for number, ask in enumerate(asks):
            counts = table.counts(ask.measure, self._between(table, ask.bounds))
            passed = self._pass(table, ask, counts)
            if passed is not None:
                ask.columns[RESULT] = self._per_subject(passed)
            else:
                exprs += [expr.name.suffix(f"{number}") for expr in _aggregates(table, ask.measure, counts)]
        if not exprs:
            return
        found = self._aligned(table.frame.lazy().group_by(ROW).agg(exprs).collect())
        for number, ask in enumerate(asks):
            for name in (COUNT, RESULT):
                if f"{name}{number}" in found.columns:
                    ask.columns[name] = self._looked_up(table, ask.measure, name, found[f"{name}{number}"])

    def _looked_up(self, table: Table, measure: Measure, name: str, column: pl.Series) -> pl.Series:
        """The first or last event's property in place of that event's position."""
        if name == RESULT and isinstance(measure, First) and measure.of is not None:
            return table.frame[PREFIX + measure.of[0]].gather(column)
        return column

    def _between(self, table: Table, bounds: _Bounds) -> Between:
        after, until = bounds.after, bounds.until
        return Between(
            _limit(table, after, f"@after{id(bounds)}") if not _is(after, BEGINNING) else None,
            _limit(table, until, f"@until{id(bounds)}") if not _is(until, self._now) else None,
        )

    def _pass(self, table: Table, ask: _Ask, counts: pl.Expr | None) -> pl.LazyFrame | None:
        """The aggregates that take a pass of their own."""
        plan = ask.plan
        if plan.follow is not None:
            other = self._tables[plan.follow.measure.event]
            follows = other.counts(plan.follow.measure, self._between(other, ask.bounds))
            return sequences((table, counts), (other, follows), plan.follow.within)
        if isinstance(ask.measure, Frequencies):
            return most_frequent(table, ask.measure, counts, plan.definition.top)
        if isinstance(ask.measure, Times):
            return gaps(table, counts)
        return None

    def _values(self, plan: Plan, asks: Sequence[_Ask]) -> pl.Series:
        """The attribute's column."""
        values = [self._value(plan, ask) for ask in asks]
        if len(values) == 1:
            return values[0]
        first, second = values
        frame = pl.DataFrame([first.rename("first"), second.rename("second")])
        made = frame.select(compared(plan, pl.col("first"), pl.col("second"))).to_series()
        return made.cast(dtype(plan.type))

    def _value(self, plan: Plan, ask: _Ask) -> pl.Series:
        count, bounds = len(self._subjects), ask.bounds
        length = bounds.length
        lengths = pl.Series([length] * count, dtype=pl.Int64) if isinstance(length, int) else length
        columns = [column.rename(name) for name, column in ask.columns.items()]
        frame = pl.DataFrame([lengths.rename(LENGTH), *columns])
        value = value_of(plan, self._now)
        if isinstance(bounds.after, pl.Series):
            value = pl.when(bounds.after.is_not_null()).then(value)
        return frame.select(value.alias(VALUE)).to_series()


def _is(bound: Bound, time: int) -> bool:
    return isinstance(bound, int) and bound == time


def _limit(table: Table, bound: Bound, name: str) -> pl.Expr:
    return pl.lit(bound) if isinstance(bound, int) else table.per_subject(bound, name)


def _needs_order(ask: _Ask) -> bool:
    """Whether what is taken depends on the order of events at one time, or on what is next to what."""
    measure, follow = ask.measure, ask.plan.follow
    if follow is not None:
        return follow.measure.event == measure.event
    return isinstance(measure, Times) or (isinstance(measure, First) and measure.of is not None)


def _aggregates(table: Table, measure: Measure, counts: pl.Expr | None) -> list[pl.Expr]:
    """The columns of a grouped pass: :data:`COUNT`, :data:`RESULT`, or both."""

    def chosen(value: pl.Expr) -> pl.Expr:
        return value if counts is None else pl.when(counts).then(value)

    of = "" if measure.of is None else measure.of[0]
    match measure:
        case Count():
            return [(pl.len() if counts is None else counts.sum()).alias(COUNT)]
        case Total():
            value = chosen(table.exact(of))
            return [value.count().alias(COUNT), value.sum().alias(RESULT)]
        case Least():
            return [chosen(pl.col(PREFIX + of)).min().alias(RESULT)]
        case Greatest():
            return [chosen(pl.col(PREFIX + of)).max().alias(RESULT)]
        case Distinct():
            return [chosen(pl.col(PREFIX + of)).drop_nulls().n_unique().alias(COUNT)]
        case Last():
            return [chosen(table.position() if of else pl.col(TICK)).max().alias(RESULT)]
        case First():
            return [chosen(table.position() if of else pl.col(TICK)).min().alias(RESULT)]
    raise TypeError(type(measure))
