"""The parts of timestamps and durations in rule form: years, months, hours, in a time zone."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from functools import lru_cache
from zoneinfo import ZoneInfo

from segserver.rules.times import SECOND, TIMESTAMP_MAX, TIMESTAMP_MIN, to_datetime

_DAY = 86_400 * SECOND
_EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()
_CYCLE_DAYS, _CYCLE_YEARS = 146_097, 400
"""After 400 years the Gregorian calendar repeats, weekdays included."""
_OFFSET = re.compile(r"([+-]?)(\d{1,3}):(\d{1,2})(?::\d*)?", re.ASCII)
_ZONE = re.compile(r"[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", re.ASCII)
_UTC_NAMES = ("", "UTC")


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo | int | None:
    """A time zone by IANA name, or a fixed offset such as ``+01:00`` in microseconds; ``None`` when there is
    none.
    """
    if name in _UTC_NAMES:
        return 0
    fixed = _OFFSET.fullmatch(name)
    if fixed is not None:
        offset = (int(fixed[2]) * 60 + int(fixed[3])) * 60 * SECOND
        return -offset if fixed[1] == "-" else offset
    if _ZONE.fullmatch(name) is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def local(timestamp: int, name: str) -> int | None:
    """The microseconds that a clock in the zone shows, counted as if it were UTC; may leave the years 1 to
    9999.
    """
    place = zone(name)
    if place is None:
        return None
    if isinstance(place, int):
        return timestamp + place
    # A day from the ends of the range no zone changes, and datetime can still add the offset.
    moment = to_datetime(min(max(timestamp, TIMESTAMP_MIN + 2 * _DAY), TIMESTAMP_MAX - 2 * _DAY))
    offset = moment.astimezone(place).utcoffset() or dt.timedelta()
    return timestamp + offset // dt.timedelta(microseconds=1)


def year(timestamp: int) -> int:
    """The year, from 1 to 9999 but for local times at the very ends of the range."""
    date, cycles = _date(timestamp)
    return date.year + cycles * _CYCLE_YEARS


def month(timestamp: int) -> int:
    """The month, 0 to 11."""
    return _date(timestamp)[0].month - 1


def date(timestamp: int) -> int:
    """The day of the month, 1 to 31."""
    return _date(timestamp)[0].day


def day_of_month(timestamp: int) -> int:
    """The day of the month, 0 to 30."""
    return _date(timestamp)[0].day - 1


def day_of_week(timestamp: int) -> int:
    """The day of the week, 0 (Sunday) to 6."""
    return (timestamp // _DAY + 4) % 7


def day_of_year(timestamp: int) -> int:
    """The day of the year, 0 to 365."""
    return _date(timestamp)[0].timetuple().tm_yday - 1


def hours(timestamp: int) -> int:
    """The hour, 0 to 23."""
    return timestamp // (3_600 * SECOND) % 24


def minutes(timestamp: int) -> int:
    """The minute, 0 to 59."""
    return timestamp // (60 * SECOND) % 60


def seconds(timestamp: int) -> int:
    """The second, 0 to 59."""
    return timestamp // SECOND % 60


def milliseconds(timestamp: int) -> int:
    """The millisecond within the second, 0 to 999."""
    return timestamp // 1_000 % 1_000


def duration_hours(duration: int) -> int:
    """The whole hours of a duration, rounded toward zero."""
    return _toward_zero(duration, 3_600 * SECOND)


def duration_minutes(duration: int) -> int:
    """The whole minutes of a duration, rounded toward zero."""
    return _toward_zero(duration, 60 * SECOND)


def duration_seconds(duration: int) -> int:
    """The whole seconds of a duration, rounded toward zero."""
    return _toward_zero(duration, SECOND)


def duration_milliseconds(duration: int) -> int:
    """The milliseconds *within the second*, -999 to 999: not the whole duration, unlike the larger units."""
    part = abs(duration) // 1_000 % 1_000
    return part if duration >= 0 else -part


PARTS: dict[str, Callable[[int], int]] = {
    "year": year,
    "month": month,
    "day_of_month_1_based": date,
    "day_of_month": day_of_month,
    "day_of_week": day_of_week,
    "day_of_year": day_of_year,
    "hours": hours,
    "minutes": minutes,
    "seconds": seconds,
    "milliseconds": milliseconds,
}
"""By the middle of CEL's overload ids, ``timestamp_to_year``."""


def in_zone(part: Callable[[int], int]) -> Callable[[int, str], int | None]:
    """The same part of the local time in a named zone."""

    def of(timestamp: int, name: str) -> int | None:
        moment = local(timestamp, name)
        return None if moment is None else part(moment)

    return of


def _date(timestamp: int) -> tuple[dt.date, int]:
    """The date, and how many cycles of 400 years it was moved to be a date that Python has."""
    ordinal = timestamp // _DAY + _EPOCH_ORDINAL
    if ordinal < 1:
        return dt.date.fromordinal(ordinal + _CYCLE_DAYS), -1
    if ordinal > _ORDINAL_MAX:
        return dt.date.fromordinal(ordinal - _CYCLE_DAYS), 1
    return dt.date.fromordinal(ordinal), 0


_ORDINAL_MAX = dt.date.max.toordinal()


def _toward_zero(value: int, unit: int) -> int:
    return value // unit if value >= 0 else -(-value // unit)
