"""Timestamps and durations in rule form: microseconds, as ints."""

from __future__ import annotations

import datetime as dt
import re

SECOND = 1_000_000
TIMESTAMP_MIN, TIMESTAMP_MAX = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1
"""The years 1 to 9999, CEL's range."""
DURATION_MAX = 315_576_000_000 * SECOND
"""CEL's range of durations, either way: 10,000 years of 365.25 days."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)
_DURATION = re.compile(r"([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:h|ms|m|us|ns|s))+|0)", re.ASCII)
_PART = re.compile(r"(\d*)\.?(\d*)(h|ms|m|us|ns|s)")
_NANOSECONDS = {"h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def from_datetime(moment: dt.datetime) -> int:
    """An aware datetime in rule form."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(timestamp: int) -> dt.datetime:
    """A timestamp in rule form as an aware datetime in UTC."""
    return _EPOCH + timestamp * _MICROSECOND


def timestamp_in_range(timestamp: int) -> int | None:
    """The timestamp, or ``None`` beyond the years 1 to 9999."""
    return timestamp if TIMESTAMP_MIN <= timestamp <= TIMESTAMP_MAX else None


def duration_in_range(duration: int) -> int | None:
    """The duration, or ``None`` beyond 10,000 years."""
    return duration if -DURATION_MAX <= duration <= DURATION_MAX else None


def parse_timestamp(text: str) -> int | None:
    """RFC 3339 text in rule form; ``None`` when malformed, out of range, or finer than a microsecond."""
    nanoseconds = _timestamp_nanoseconds(text)
    if nanoseconds is None or nanoseconds % 1_000:
        return None
    return timestamp_in_range(nanoseconds // 1_000)


def parse_duration(text: str) -> int | None:
    """Text such as ``1h30m`` or ``-1.5s`` in rule form; ``None`` when malformed, out of range, or finer than
    a microsecond.
    """
    nanoseconds = _duration_nanoseconds(text)
    if nanoseconds is None or nanoseconds % 1_000:
        return None
    return duration_in_range(nanoseconds // 1_000)


def is_too_fine(text: str) -> bool:
    """Whether the text is a timestamp or a duration that microseconds can't hold."""
    nanoseconds = _timestamp_nanoseconds(text)
    if nanoseconds is None:
        nanoseconds = _duration_nanoseconds(text)
    return nanoseconds is not None and nanoseconds % 1_000 != 0


def _timestamp_nanoseconds(text: str) -> int | None:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        moment = dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
    except ValueError:
        return None
    fraction, offset = (match[7] or "")[:9].ljust(9, "0"), 0
    if match[9]:
        offset = (int(match[10]) * 60 + int(match[11])) * 60 * SECOND
        offset = -offset if match[9] == "-" else offset
    return (from_datetime(moment) - offset) * 1_000 + int(fraction)


def _duration_nanoseconds(text: str) -> int | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    total = 0
    for whole, fraction, unit in _PART.findall(match[2]):
        scale = _NANOSECONDS[unit]
        total += int(whole or "0") * scale + int(fraction or "0") * scale // 10 ** len(fraction)
    return -total if match[1] == "-" else total
