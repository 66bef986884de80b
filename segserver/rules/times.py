"""Timestamps and durations in rule form (int microseconds): ranges, text, arithmetic."""

from __future__ import annotations

import datetime as dt
import re

SECOND = 1_000_000
TIMESTAMP_MIN, TIMESTAMP_MAX = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1
"""The years 1 to 9999, CEL's range."""
DURATION_MAX = 315_576_000_000 * SECOND
"""CEL's range of durations, either way: 10,000 years of 365.25 days."""
SPAN_MIN, SPAN_MAX = -((2**63) // 1_000), (2**63 - 1) // 1_000
"""What a *computed* duration can be: 64 bits of nanoseconds, 292 years either way."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_SPACE = r"[ \t\n\v\f\r]*"
_TIMESTAMP = re.compile(
    _SPACE + r"(\d+)-(\d\d?)-(\d\d?)[Tt](\d\d?):(\d\d?):(\d\d?)(?:\.(\d+))?"
    r"(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)" + _SPACE,
    re.ASCII,
)
_DURATION = re.compile(r"([+-]?)((?:(?:\d++(?:\.\d*+)?|\.\d++)(?:h|ms|m|us|ns|s))++|0)", re.ASCII)
"""Possessive throughout, here and below: digits that could be split in two ways would cost the square of
their number, and the text is a customer's.
"""
_PART = re.compile(r"(\d*+)\.?(\d*+)(h|ms|m|us|ns|s)", re.ASCII)
_NANOSECONDS = {"h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DIGITS_MAX = 30
"""Longer numbers in a text are malformed: no time needs them, and reading them would cost."""


def from_datetime(moment: dt.datetime) -> int:
    """An aware datetime in rule form."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(timestamp: int) -> dt.datetime:
    """A timestamp in rule form as an aware datetime in UTC."""
    return _EPOCH + timestamp * _MICROSECOND


def timestamp_in_range(timestamp: int) -> int | None:
    """The timestamp, or ``None`` beyond the years 1 to 9999."""
    return timestamp if TIMESTAMP_MIN <= timestamp <= TIMESTAMP_MAX else None


def span_in_range(duration: int) -> int | None:
    """A computed duration, or ``None`` beyond 292 years."""
    return duration if SPAN_MIN <= duration <= SPAN_MAX else None


def shift(timestamp: int, duration: int) -> int | None:
    """A timestamp plus a duration."""
    return timestamp_in_range(timestamp + duration)


def shift_back(timestamp: int, duration: int) -> int | None:
    """A timestamp minus a duration."""
    return timestamp_in_range(timestamp - duration)


def span(later: int, earlier: int) -> int | None:
    """The duration between two timestamps, or of one duration less another."""
    return span_in_range(later - earlier)


def add_spans(left: int, right: int) -> int | None:
    """The sum of two durations."""
    return span_in_range(left + right)


def from_seconds(seconds: int) -> int | None:
    """The timestamp so many seconds after the epoch."""
    return timestamp_in_range(seconds * SECOND)


def to_seconds(timestamp: int) -> int:
    """The whole seconds since the epoch, rounded down."""
    return timestamp // SECOND


def parse_timestamp(text: str) -> int | None:
    """RFC 3339 text in rule form; ``None`` when malformed, out of range, or finer than a microsecond."""
    nanoseconds = _timestamp_nanoseconds(text)
    if nanoseconds is None or nanoseconds % 1_000:
        return None
    return timestamp_in_range(nanoseconds // 1_000)


def parse_duration(text: str) -> int | None:
    """Text such as ``1h30m`` or ``-1.5s`` in rule form.

    ``None`` when malformed, out of range, or finer than a microsecond.
    """
    nanoseconds = _duration_nanoseconds(text)
    if nanoseconds is None or nanoseconds % 1_000:
        return None
    duration = nanoseconds // 1_000
    return duration if -DURATION_MAX <= duration <= DURATION_MAX else None


def is_too_fine(text: str) -> bool:
    """Whether the text is a timestamp or a duration that microseconds can't hold."""
    nanoseconds = _timestamp_nanoseconds(text)
    if nanoseconds is None:
        nanoseconds = _duration_nanoseconds(text)
    return nanoseconds is not None and nanoseconds % 1_000 != 0


def timestamp_text(timestamp: int) -> str:
    """RFC 3339 in UTC, with 0, 3 or 6 digits of a second."""
    seconds, fraction = divmod(timestamp, SECOND)
    moment = (_EPOCH + dt.timedelta(seconds=seconds)).replace(tzinfo=None)
    return f"{moment.isoformat()}{_fraction(fraction)}Z"


def duration_text(duration: int) -> str:
    """Seconds with 0, 3 or 6 digits behind the point: ``5400.500s``."""
    seconds, fraction = divmod(abs(duration), SECOND)
    return f"{'-' if duration < 0 else ''}{seconds}{_fraction(fraction)}s"


def _fraction(microseconds: int) -> str:
    if microseconds == 0:
        return ""
    return f".{microseconds:06}" if microseconds % 1_000 else f".{microseconds // 1_000:03}"


def _timestamp_nanoseconds(text: str) -> int | None:
    match = _TIMESTAMP.fullmatch(text)
    if match is None or len(match[1]) > _DIGITS_MAX:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    leap = second == 60  # a leap second is the next minute's first instant, without a fraction
    try:
        moment = dt.datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=dt.UTC)
    except ValueError:
        return None
    offset_hours, offset_minutes = int(match[9] or "0"), int(match[10] or "0")
    if offset_hours > 23 or offset_minutes > 59:
        return None
    offset = (offset_hours * 60 + offset_minutes) * 60 * SECOND * (-1 if match[8] == "-" else 1)
    fraction = 0 if leap else int((match[7] or "")[:9].ljust(9, "0"))
    return (from_datetime(moment) + leap * SECOND - offset) * 1_000 + fraction


def _duration_nanoseconds(text: str) -> int | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    total = 0
    for whole, fraction, unit in _PART.findall(match[2]):
        if len(whole) > _DIGITS_MAX or len(fraction) > _DIGITS_MAX:
            return None
        scale = _NANOSECONDS[unit]
        total += int(whole or "0") * scale + int(fraction or "0") * scale // 10 ** len(fraction)
    return -total if match[1] == "-" else total
