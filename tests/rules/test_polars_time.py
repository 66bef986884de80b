"""Local time over a column is that of the scalar form, in every zone and at every time."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segserver.rules import calendar
from segserver.rules.polars_column import column, dtype, literal
from segserver.rules.polars_time import ZONE_FIRST, ZONE_LAST, zoned_accessor
from segserver.rules.times import SECOND, TIMESTAMP_MAX, TIMESTAMP_MIN

ZONES = [name for name in sorted(zoneinfo.available_timezones()) if calendar.zone(name) is not None]
EDGES = [TIMESTAMP_MIN, TIMESTAMP_MAX, *(t * SECOND + d for t in (ZONE_FIRST, ZONE_LAST) for d in (-1, 0, 1))]
MOMENTS = st.one_of(
    st.integers(TIMESTAMP_MIN, TIMESTAMP_MAX),
    st.integers(ZONE_FIRST * SECOND, ZONE_LAST * SECOND),
    st.integers(0, 2 * 10**15),
)


def minutes_of_day(moments: list[int], zone: str) -> list[tuple[int, ...]]:
    frame = pl.DataFrame({"t": pl.Series(moments, dtype=pl.Int64()).cast(dtype("timestamp"))})
    parts = [
        zoned_accessor(part)(column(pl.col("t"), "timestamp"), literal(zone, "string")) for part in PARTS
    ]
    return frame.select(part.expr.alias(f"{i}") for i, part in enumerate(parts) if part is not None).rows()


PARTS = ("year", "day_of_year", "hours", "minutes", "seconds")


@settings(max_examples=60)
@given(st.sampled_from(ZONES), st.lists(MOMENTS, min_size=50, max_size=200))
def test_any_zone_at_any_time(zone: str, moments: list[int]) -> None:
    moments = [*moments, *EDGES]
    local = [calendar.local(moment, zone) for moment in moments]
    expected = [tuple(calendar.PARTS[part](t) for part in PARTS) for t in local if t is not None]
    assert minutes_of_day(moments, zone) == expected


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"]
)
def test_every_hour_around_every_change_of_offset(zone: str) -> None:
    start = int(dt.datetime(1994, 1, 1, tzinfo=dt.UTC).timestamp()) * SECOND
    moments = [start + step * 1800 * SECOND for step in range(35_000)]
    local = [calendar.local(moment, zone) for moment in moments]
    expected = [tuple(calendar.PARTS[part](t) for part in PARTS) for t in local if t is not None]
    assert minutes_of_day(moments, zone) == expected
