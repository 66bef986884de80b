"""A computed attribute as it is evaluated: its measure, its windows, and how a result becomes its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import sub
from statistics import median
from typing import Any

from segserver.events.conditions import Condition
from segserver.events.definitions import ComputedAttribute, Event
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
from segserver.events.windows import DAY, Window, parse_duration, parse_window
from segserver.model import INT64_MAX, INT64_MIN, TypeName

MEASURES: Mapping[str, type[Measure]] = {
    "count": Count,
    "sum": Total,
    "average": Total,
    "minimum": Least,
    "maximum": Greatest,
    "first": First,
    "last": Last,
    "distinct": Distinct,
    "most_frequent": Frequencies,
    "time_since_last": Last,
    "time_since_first": First,
    "median_gap": Times,
    "exists": Count,
    "absent": Count,
    "rate": Count,
}
"""What each aggregate is made of, but sequence, which is made of two kinds of events."""

OF_TYPES: Mapping[str, frozenset[str]] = {
    "sum": frozenset({"int", "double"}),
    "average": frozenset({"int", "double"}),
    "minimum": frozenset({"int", "double", "timestamp"}),
    "maximum": frozenset({"int", "double", "timestamp"}),
    "first": frozenset({"bool", "int", "double", "string", "timestamp"}),
    "last": frozenset({"bool", "int", "double", "string", "timestamp"}),
    "distinct": frozenset({"bool", "int", "string", "timestamp"}),
    "most_frequent": frozenset({"string"}),
}
"""The types that ``of`` may have, for the aggregates that take one."""

OF_OPTIONAL = frozenset({"first", "last"})

COMPARED = frozenset({"count", "sum", "average", "distinct", "rate"})
"""The aggregates that ``versus`` can compare."""


@dataclass(frozen=True, slots=True)
class Follow:
    """The second half of a sequence: the events that follow, and within how many microseconds."""

    measure: Times
    within: int


@dataclass(frozen=True, slots=True)
class Plan:
    """One computed attribute, compiled."""

    definition: ComputedAttribute
    type: TypeName
    measure: Measure
    windows: tuple[Window, ...]
    reads: frozenset[tuple[str, str]]
    follow: Follow | None = None
    value: Callable[[Any, int, int], Any] = field(default=lambda result, _length, _now: result)
    """Of a measure's result, the window's length in microseconds, and now."""

    @property
    def zone(self) -> str:
        """The time zone that its calendar windows are in; empty if it has none."""
        return self.definition.time_zone if any(w.kind == "calendar" for w in self.windows) else ""

    @property
    def events(self) -> frozenset[str]:
        """The names of the events that it reads."""
        return frozenset(event for event, _ in self.reads)

    @property
    def continuous(self) -> bool:
        """Whether its value changes at every moment, and not only when an event enters or leaves a window."""
        aggregate = self.definition.aggregate
        return aggregate in ("time_since_last", "time_since_first") or (
            aggregate == "rate" and any(not _steady(window) for window in self.windows)
        )

    def compared(self, first: Any, second: Any) -> Any:
        """The comparison of the values of two windows; ``None`` when it has none."""
        if first is None or second is None:
            return None
        if self.definition.comparison == "ratio":
            return None if second == 0 else float(first) / float(second)
        return within_64_bits(first - second)


def _steady(window: Window) -> bool:
    """Whether its length stays the same while no event comes or goes."""
    return window.kind == "sliding" or (
        window.kind == "calendar" and window.period[:4] not in ("this", "toda")
    )


def within_64_bits(number: Any) -> Any:
    """The number, or ``None`` for an int beyond 64 bits."""
    return None if isinstance(number, int) and not INT64_MIN <= number <= INT64_MAX else number


def plan_of(
    definition: ComputedAttribute,
    events: Mapping[str, Event],
    where: Condition | None,
    then_where: Condition | None,
) -> Plan:
    """The plan of a definition without problems."""
    aggregate, event = definition.aggregate, events[definition.event]
    of, weight = _property(event, definition.of), _property(event, definition.weight)
    windows = [parse_window(text) for text in (definition.window, definition.versus) if text]
    reads = {(event.name, "")} | {(event.name, name) for name in (definition.of, definition.weight) if name}
    reads |= {(event.name, name) for name in (where.reads if where else ())}
    reads |= {(window.event, "") for window in windows if window.kind == "since"}
    follow = None
    if aggregate == "sequence":
        follow = Follow(Times(definition.then, then_where), parse_duration(definition.within))
        reads |= {(definition.then, "")} | {
            (definition.then, n) for n in (then_where.reads if then_where else ())
        }
    return Plan(
        definition,
        value_type(definition, of[1] if of else None),
        MEASURES.get(aggregate, Times)(event.name, where, of, weight),
        tuple(windows),
        frozenset(reads),
        follow,
        _finish(definition, of[1] if of else None),
    )


def _property(event: Event, name: str) -> tuple[str, TypeName] | None:
    return (name, event.properties[name].type) if name else None


def value_type(definition: ComputedAttribute, of: TypeName | None) -> TypeName:
    """The type of the attribute's value."""
    if definition.versus and definition.comparison == "ratio":
        return "double"
    match definition.aggregate:
        case "count" | "distinct":
            return "int"
        case "exists" | "absent" | "sequence":
            return "bool"
        case "most_frequent":
            return "list(string)" if definition.top else "string"
        case "sum" | "minimum" | "maximum" | "first" | "last":
            return of or "timestamp"
    return "double"


def _finish(definition: ComputedAttribute, of: TypeName | None) -> Callable[[Any, int, int], Any]:
    """How the measure's result becomes the value."""
    match definition.aggregate:
        case "sum":
            return lambda r, _length, _now: _sum(r[1], of)
        case "average":
            return lambda r, _length, _now: float(_sum(r[1], of, checked=False)) / r[0] if r[0] else None
        case "first" | "last":
            return lambda r, _length, _now: None if r is None else r[1 if of else 0]
        case "distinct":
            return lambda r, _length, _now: len(r)
        case "most_frequent":
            top = definition.top
            return lambda r, _length, _now: _most_frequent(r, top)
        case "time_since_last" | "time_since_first":
            return lambda r, _length, now: None if r is None else float(now - r[0]) / DAY
        case "median_gap":
            return lambda r, _length, _now: _median_gap(r)
        case "exists":
            return lambda r, _length, _now: r > 0
        case "absent":
            return lambda r, _length, _now: r == 0
        case "rate":
            return lambda r, length, _now: float(r) / (float(length) / DAY) if r else 0.0
    return lambda r, _length, _now: r


def _sum(total: int, of: TypeName | None, *, checked: bool = True) -> Any:
    if of == "double":
        return float(total) / 1e6
    return within_64_bits(total) if checked else total


def _most_frequent(amounts: Mapping[str, int], top: int) -> Any:
    if not amounts:
        return () if top else None
    if not top:
        most = max(amounts.values())
        return min(value for value, amount in amounts.items() if amount == most)
    ranked = sorted(amounts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(value for value, _ in ranked[:top])


def _median_gap(times: list[int]) -> float | None:
    if len(times) < 2:
        return None
    return float(median(map(sub, times[1:], times))) / DAY
