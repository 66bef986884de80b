"""What computed attributes mean, in plain loops over all events: slow, and apart from the server's code.

Times are aware datetimes, days are a calendar's days, and nothing is remembered between two questions.
"""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from segserver.events.definitions import GAPS_MAX, ComputedAttribute

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


@dataclass(frozen=True)
class Happened:
    """One event; ``time`` in microseconds since 1970, timestamps among the properties as well."""

    name: str
    time: int
    number: int
    properties: Mapping[str, Any]

    @property
    def at(self) -> dt.datetime:
        return EPOCH + dt.timedelta(microseconds=self.time)


Holds = Callable[[Happened], "bool | None"]


def duration(text: str) -> dt.timedelta:
    return dt.timedelta(**{UNITS[text[-1]]: int(text[:-1])})


def period(kind: str, moment: dt.datetime) -> tuple[int, ...]:
    """What a period is told by, at a local time."""
    if "week" in kind:
        return tuple(moment.isocalendar()[:2])
    if "month" in kind:
        return (moment.year, moment.month)
    if "quarter" in kind:
        return (moment.year, (moment.month - 1) // 3)
    if "year" in kind:
        return (moment.year,)
    return (moment.year, moment.month, moment.day)


def wanted_period(kind: str, local: dt.datetime) -> tuple[int, ...]:
    """The period that a window means, at the local time of now."""
    day = local.date()
    if kind in ("same_month_last_year", "same_quarter_last_year"):
        year, part = period(kind, local)
        return (year - 1, part)
    if kind == "yesterday":
        day -= dt.timedelta(days=1)
    if kind == "last_week":
        day -= dt.timedelta(days=7)
    if kind == "last_month":
        day = day.replace(day=1) - dt.timedelta(days=1)
    if kind == "last_quarter":
        day = day.replace(month=1 + 3 * ((day.month - 1) // 3), day=1) - dt.timedelta(days=1)
    if kind == "last_year":
        day = day.replace(month=1, day=1) - dt.timedelta(days=1)
    return period(kind, dt.datetime(day.year, day.month, day.day))


def first_day(kind: str, told: tuple[int, ...]) -> dt.date:
    if "week" in kind:
        return dt.date.fromisocalendar(told[0], told[1], 1)
    if "quarter" in kind:
        return dt.date(told[0], told[1] * 3 + 1, 1)
    return dt.date(*(*told, 1, 1)[:3])


class Reference:
    """One subject's events, at one moment."""

    def __init__(
        self, events: Sequence[Happened], now: int, zone: str | None, floors: Mapping[str, int]
    ) -> None:
        self.now = EPOCH + dt.timedelta(microseconds=now)
        self.zone = zone
        ordered = sorted(events, key=lambda e: (e.time, e.number))
        self.events = [
            e for e in ordered if e.at <= self.now and (e.name not in floors or e.time > floors[e.name])
        ]

    def value(self, definition: ComputedAttribute, where: Holds, then_where: Holds) -> Any:
        one = self.of_window(definition, definition.window, where, then_where)
        if not definition.versus:
            return one
        other = self.of_window(definition, definition.versus, where, then_where)
        if one is None or other is None:
            return None
        if definition.comparison == "ratio":
            return float(one) / float(other) if other else None
        return None if isinstance(one, int) and abs(one - other) >= 2**63 else one - other

    def of_window(self, definition: ComputedAttribute, window: str, where: Holds, then_where: Holds) -> Any:
        covered = self.window(window, definition)
        if covered is None:
            return None
        inside, days = covered
        chosen = [e for e in self.events if e.name == definition.event and inside(e) and where(e) is True]
        if definition.aggregate == "sequence":
            following = [
                e for e in self.events if e.name == definition.then and inside(e) and then_where(e) is True
            ]
            return any(
                dt.timedelta() <= b.at - a.at <= duration(definition.within)
                and (a.name != b.name or (b.time, b.number) > (a.time, a.number))
                for a in chosen
                for b in following
            )
        return self.aggregate(definition, chosen, days)

    def aggregate(self, definition: ComputedAttribute, chosen: list[Happened], days: float) -> Any:
        kind = definition.aggregate
        if definition.of:
            chosen = [e for e in chosen if e.properties.get(definition.of) is not None]
        if definition.weight:
            chosen = [e for e in chosen if e.properties.get(definition.weight) is not None]
        values = [e.properties[definition.of] if definition.of else e.time for e in chosen]
        if kind in ("count", "exists", "absent"):
            return {"count": len(chosen), "exists": bool(chosen), "absent": not chosen}[kind]
        if kind == "rate":
            return len(chosen) / days if chosen else 0.0
        if kind == "distinct":
            return len(set(values))
        if kind in ("sum", "average"):
            total = sum(exact(value) for value in values)
            double = definition.of == "price"
            if kind == "average":
                return (total / 1e6 if double else total) / len(values) if values else None
            if double:
                return total / 1e6
            return total if -(2**63) <= total < 2**63 else None
        if kind == "most_frequent":
            return self.ranked(definition, chosen)
        if kind == "median_gap":
            times = [e.at for e in chosen]
            gaps = [b - a for a, b in pairwise(times)][-GAPS_MAX:]
            return statistics.median(gap / dt.timedelta(days=1) for gap in gaps) if gaps else None
        if not values:
            return None
        if kind in ("minimum", "maximum"):
            return min(values) if kind == "minimum" else max(values)
        end = chosen[0] if kind.endswith("first") else chosen[-1]
        if kind.startswith("time_since"):
            return (self.now - end.at) / dt.timedelta(days=1)
        return end.properties[definition.of] if definition.of else end.time

    def ranked(self, definition: ComputedAttribute, chosen: list[Happened]) -> Any:
        amounts: dict[str, int] = {}
        for e in chosen:
            amount = exact(e.properties[definition.weight]) if definition.weight else 1
            name = e.properties[definition.of]
            amounts[name] = amounts.get(name, 0) + amount
        names = sorted(sorted(amounts), key=amounts.__getitem__, reverse=True)
        if definition.top:
            return tuple(names[: definition.top])
        return names[0] if names else None

    def window(
        self, text: str, definition: ComputedAttribute
    ) -> tuple[Callable[[Happened], bool], float] | None:
        """Which events a window covers, and how many days it has."""
        words = text.split()
        own = [e for e in self.events if e.name == definition.event]
        day, tick = dt.timedelta(days=1), dt.timedelta(microseconds=1)
        whole = (self.now - own[0].at + tick) / day if own else 1.0
        if words[0] == "all":
            return (lambda e: True), whole
        if words[0] == "since":
            ends = [e.at for e in self.events if e.name == words[1]]
            if not ends:
                return (lambda e: True), whole
            return (lambda e: e.at > ends[-1]), (self.now - ends[-1]) / day
        if words[0] == "session":
            start, gap = self.now + tick, duration(words[1])
            later = self.now
            for e in reversed(own):
                if later - e.at >= gap:
                    break
                start = later = e.at
            return (lambda e: e.at >= start), (self.now - start + tick) / day
        if text[0].isdigit():
            end = self.now - (duration(words[2]) if len(words) == 3 else dt.timedelta())
            start = end - duration(words[0])
            return (lambda e: start < e.at <= end), (end - start) / day
        name = self.zone if definition.time_zone == "subject" else definition.time_zone
        return None if name is None else self.calendar(text, ZoneInfo(name))

    def calendar(self, kind: str, zone: ZoneInfo) -> tuple[Callable[[Happened], bool], float]:
        wanted = wanted_period(kind, self.now.astimezone(zone))
        begins = first_day(kind, wanted)
        step = begins
        while period(kind, dt.datetime(step.year, step.month, step.day)) == wanted:
            step += dt.timedelta(days=1)
        start = dt.datetime(begins.year, begins.month, begins.day, tzinfo=zone).astimezone(dt.UTC)
        end = dt.datetime(step.year, step.month, step.day, tzinfo=zone).astimezone(dt.UTC)
        end = min(end, self.now + dt.timedelta(microseconds=1))
        return (lambda e: period(kind, e.at.astimezone(zone)) == wanted), (end - start) / dt.timedelta(days=1)


def exact(value: float) -> int:
    """What is summed: an int, or the millionths of a double."""
    return math.floor(value * 1e6 + 0.5) if isinstance(value, float) else value
