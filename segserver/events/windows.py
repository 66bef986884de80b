"""Windows: what a text like ``30d before 30d`` or ``last_month`` covers at a moment."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from segserver.model import NAME
from segserver.rules.calendar import local, zone
from segserver.rules.times import SECOND, TIMESTAMP_MAX, TIMESTAMP_MIN, from_datetime, to_datetime

BEGINNING = -(2**63)
"""Before every event."""

DAY = 86_400 * SECOND

DURATION_MAX = 36_500 * DAY
"""The longest duration of a definition: about a hundred years."""

_EARLIEST, _LATEST = TIMESTAMP_MIN + 1_000 * DAY, TIMESTAMP_MAX - 1_000 * DAY
"""So far from the ends of the calendar, every period has one before it and one after it."""

_UNITS = {"d": DAY, "h": 3_600 * SECOND, "m": 60 * SECOND, "s": SECOND}
_DURATION = re.compile(r"([0-9]{1,12})([dhms])")

Kind = Literal["sliding", "calendar", "since", "session", "all"]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A window as it was written, one for each text. ``length`` and ``before`` are in microseconds."""

    kind: Kind
    length: int = 0
    before: int = 0
    period: str = ""
    event: str = ""


def parse_duration(text: str) -> int:
    """A duration like ``7d``, ``36h``, ``30m`` or ``45s`` in microseconds; raises ``ValueError`` that says
    what is wrong."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a whole number and d, h, m or s, like 30d")
    length = int(match[1]) * _UNITS[match[2]]
    if length == 0:
        raise ValueError(f"{text!r} is no time at all; a duration is longer than zero")
    if length > DURATION_MAX:
        raise ValueError(f"{text!r} is longer than {DURATION_MAX // DAY} days")
    return length


@lru_cache(maxsize=4096)
def parse_window(text: str) -> Window:
    """The window of a text; raises ``ValueError`` that says what is wrong."""
    words = text.split()
    match words:
        case ["all"]:
            return Window("all")
        case [period] if period in PERIODS:
            return Window("calendar", period=period)
        case ["since", event]:
            if NAME.fullmatch(event) is None:
                raise ValueError(f"{event!r} is not the name of an event")
            return Window("since", event=event)
        case ["session", gap]:
            return Window("session", length=parse_duration(gap))
        case [length, "before", before]:
            return Window("sliding", length=parse_duration(length), before=parse_duration(before))
        case [length] if length[:1].isdigit():
            return Window("sliding", length=parse_duration(length))
    raise ValueError(
        f"{text!r} is not a window; write one like 90d, 30d before 30d, this_month, since purchase, "
        "session 30m or all"
    )


def calendar(period: str, now: int, zone_name: str) -> tuple[int, int] | None:
    """The times (after, until] that a calendar period covers at ``now``, until now at most; ``None`` without
    such a zone."""
    found = _periods(period, _today(now, zone_name), zone_name)
    return None if found is None else (found[0] - 1, min(found[1] - 1, now))


def turn(period: str, now: int, zone_name: str) -> int | None:
    """The first instant after ``now`` at which the period is another one."""
    today = _today(now, zone_name)
    if today is None:
        return None
    unit, _ = _PERIODS[period]
    return instant(_FIRST[unit](today, 1), zone_name)


def _today(now: int, zone_name: str) -> dt.date | None:
    here = local(min(max(now, _EARLIEST), _LATEST), zone_name)
    return None if here is None else to_datetime(here).date()


@lru_cache(maxsize=4096)
def _periods(period: str, today: dt.date | None, zone_name: str) -> tuple[int, int] | None:
    """The first instant of the period, and that of what follows it."""
    if today is None:
        return None
    unit, back = _PERIODS[period]
    return instant(_FIRST[unit](today, -back), zone_name), instant(_FIRST[unit](today, 1 - back), zone_name)


def instant(day: tuple[int, int, int], zone_name: str) -> int:
    """The first instant of a day in a zone: where the clocks leave midnight out, when they do; where they
    show it twice, the first time."""
    year, month, date = day
    place = zone(zone_name)
    if isinstance(place, ZoneInfo):
        return from_datetime(dt.datetime(year, month, date, tzinfo=place))
    return from_datetime(dt.datetime(year, month, date, tzinfo=dt.UTC)) - (place or 0)


def _day(today: dt.date, steps: int) -> tuple[int, int, int]:
    day = today + dt.timedelta(days=steps)
    return day.year, day.month, day.day


def _week(today: dt.date, steps: int) -> tuple[int, int, int]:
    return _day(today - dt.timedelta(days=today.weekday()), 7 * steps)


def _month(today: dt.date, steps: int) -> tuple[int, int, int]:
    year, month = divmod(today.year * 12 + today.month - 1 + steps, 12)
    return year, month + 1, 1


def _quarter(today: dt.date, steps: int) -> tuple[int, int, int]:
    return _month(today.replace(day=1, month=(today.month - 1) // 3 * 3 + 1), 3 * steps)


def _year(today: dt.date, steps: int) -> tuple[int, int, int]:
    return today.year + steps, 1, 1


_FIRST: dict[str, Callable[[dt.date, int], tuple[int, int, int]]] = {
    "day": _day,
    "week": _week,
    "month": _month,
    "quarter": _quarter,
    "year": _year,
}
_PERIODS = {
    "today": ("day", 0),
    "yesterday": ("day", 1),
    "this_week": ("week", 0),
    "last_week": ("week", 1),
    "this_month": ("month", 0),
    "last_month": ("month", 1),
    "same_month_last_year": ("month", 12),
    "this_quarter": ("quarter", 0),
    "last_quarter": ("quarter", 1),
    "same_quarter_last_year": ("quarter", 4),
    "this_year": ("year", 0),
    "last_year": ("year", 1),
}
"""The unit of each period, and how many units ago it is."""

PERIODS = frozenset(_PERIODS)
"""The names of the calendar's windows."""
