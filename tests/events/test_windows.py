"""What windows cover: their edges, the calendar, and days on which the clocks change."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.events.windows import DAY, PERIODS, Window, calendar, parse_duration, parse_window, turn
from segserver.rules.times import from_datetime, to_datetime


def at(text: str) -> int:
    return from_datetime(dt.datetime.fromisoformat(text).astimezone(dt.UTC))


def shown(window: Window) -> tuple[str, int, int, str, str]:
    return window.kind, window.length, window.before, window.period, window.event


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", ("sliding", 90 * DAY, 0, "", "")),
        ("30d before 45d", ("sliding", 30 * DAY, 45 * DAY, "", "")),
        ("36h", ("sliding", 36 * DAY // 24, 0, "", "")),
        ("45s", ("sliding", 45_000_000, 0, "", "")),
        ("this_month", ("calendar", 0, 0, "this_month", "")),
        ("since purchase", ("since", 0, 0, "", "purchase")),
        ("session 30m", ("session", 30 * 60_000_000, 0, "", "")),
        ("all", ("all", 0, 0, "", "")),
    ],
)
def test_a_text_is_a_window(text: str, expected: tuple[object, ...]) -> None:
    assert shown(parse_window(text)) == expected
    assert parse_window(text) is parse_window(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("0d", "longer than zero"),
        ("session 0m", "longer than zero"),
        ("30d before 0d", "longer than zero"),
        ("99999999d", "36500 days"),
        ("1.5d", "not a duration"),
        ("3w", "not a duration"),
        ("-3d", "not a window"),
        ("", "not a window"),
        ("last_decade", "not a window"),
        ("since", "not a window"),
        ("since Purchase!", "not the name of an event"),
        ("30d before", "not a window"),
        ("٣d", "not a duration"),
    ],
)
def test_other_texts_are_refused_with_what_is_wrong(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_window(text)


def test_a_duration_has_no_sign_and_no_space() -> None:
    for text in ("+1d", "1 d", "d", "1D", "1d ", "1_0d"):
        with pytest.raises(ValueError, match="not a duration"):
            parse_duration(text)


@pytest.mark.parametrize(
    ("period", "zone", "now", "first", "end"),
    [
        ("today", "UTC", "2024-02-29T12:00Z", "2024-02-29T00:00Z", None),
        ("yesterday", "UTC", "2024-03-01T00:00Z", "2024-02-29T00:00Z", "2024-03-01T00:00Z"),
        ("this_week", "UTC", "2026-03-01T23:59Z", "2026-02-23T00:00Z", None),
        ("last_week", "UTC", "2026-03-02T00:00Z", "2026-02-23T00:00Z", "2026-03-02T00:00Z"),
        ("this_month", "Europe/Berlin", "2026-03-29T10:00Z", "2026-02-28T23:00Z", None),
        ("last_month", "Europe/Berlin", "2026-04-01T10:00Z", "2026-02-28T23:00Z", "2026-03-31T22:00Z"),
        ("last_month", "UTC", "2024-03-31T10:00Z", "2024-02-01T00:00Z", "2024-03-01T00:00Z"),
        ("same_month_last_year", "UTC", "2024-02-29T10:00Z", "2023-02-01T00:00Z", "2023-03-01T00:00Z"),
        ("this_quarter", "UTC", "2026-06-30T23:59Z", "2026-04-01T00:00Z", None),
        ("last_quarter", "UTC", "2026-01-01T00:00Z", "2025-10-01T00:00Z", "2026-01-01T00:00Z"),
        ("same_quarter_last_year", "UTC", "2026-05-05T00:00Z", "2025-04-01T00:00Z", "2025-07-01T00:00Z"),
        ("this_year", "Asia/Kathmandu", "2026-06-01T00:00Z", "2025-12-31T18:15Z", None),
        ("last_year", "America/New_York", "2026-01-01T04:59Z", "2024-01-01T05:00Z", "2025-01-01T05:00Z"),
        ("today", "America/New_York", "2026-03-08T20:00Z", "2026-03-08T05:00Z", None),  # 23 hours long
        ("yesterday", "Australia/Lord_Howe", "2026-04-05T20:00Z", "2026-04-04T13:00Z", "2026-04-05T13:30Z"),
        ("today", "Asia/Beirut", "2026-03-29T12:00Z", "2026-03-28T22:00Z", None),  # begins at one o'clock
        ("today", "+05:30", "2026-03-29T12:00Z", "2026-03-28T18:30Z", None),
    ],
)
def test_a_period_begins_and_ends_at_local_midnight(
    period: str, zone: str, now: str, first: str, end: str | None
) -> None:
    until = at(now) if end is None else at(end) - 1
    assert calendar(period, at(now), zone) == (at(first) - 1, until)


def test_a_zone_that_is_none_has_no_periods() -> None:
    assert calendar("today", 0, "Europe/Atlantis") is None
    assert turn("today", 0, "Europe/Atlantis") is None


@given(
    period=st.sampled_from(sorted(PERIODS)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]),
    moment=st.datetimes(dt.datetime(1975, 1, 1), dt.datetime(2035, 1, 1)),
)
def test_periods_stay_until_they_turn(period: str, zone: str, moment: dt.datetime) -> None:
    now = from_datetime(moment.replace(tzinfo=dt.UTC))
    change = turn(period, now, zone)
    assert change is not None
    assert change > now
    begin, last = calendar(period, now, zone) or (0, 0)
    later, again = calendar(period, change - 1, zone) or (0, 0)
    assert (begin, max(again, last)) == (later, again)
    assert (calendar(period, change, zone) or (0, 0))[0] >= begin
    assert to_datetime(change).astimezone(dt.UTC) <= to_datetime(now) + dt.timedelta(days=367)


@pytest.mark.parametrize("now", [-62_135_596_800_000_000, 253_402_300_799_999_999])
def test_the_ends_of_the_calendar_have_periods(now: int) -> None:
    for period in PERIODS:
        assert calendar(period, now, "Europe/Berlin") is not None
        assert turn(period, now, "UTC") is not None
