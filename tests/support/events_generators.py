"""Random events, definitions and moments, many of them on an edge of a window or beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from events_reference import EPOCH, Happened, Holds
from hypothesis import strategies as st

from segserver.events.definitions import ComputedAttribute, Event, Property
from segserver.events.plans import COMPARED
from segserver.events.windows import PERIODS

ORDER, VISIT = "order", "visit"
EVENTS = {
    ORDER: Event(
        ORDER,
        "behavioral",
        {
            "price": Property("double", "financial"),
            "units": Property("int", "financial"),
            "item": Property("string", "behavioral"),
            "gift": Property("bool", "behavioral"),
            "due": Property("timestamp", "behavioral"),
        },
    ),
    VISIT: Event(VISIT, "behavioral", {"page": Property("string", "behavioral")}),
}
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]

_BASES = [
    dt.datetime(2024, 2, 29, 12, 0, tzinfo=dt.UTC),  # a leap day
    dt.datetime(2023, 12, 31, 23, 0, tzinfo=dt.UTC),  # midnight of a new year in Berlin
    dt.datetime(2026, 3, 29, 1, 0, tzinfo=dt.UTC),  # Berlin's clocks go forward
    dt.datetime(2026, 10, 25, 1, 0, tzinfo=dt.UTC),  # and back
    dt.datetime(2026, 3, 8, 7, 0, tzinfo=dt.UTC),  # New York's go forward
    dt.datetime(2026, 4, 4, 15, 0, tzinfo=dt.UTC),  # Lord Howe's go back by half an hour
    dt.datetime(2026, 5, 31, 18, 15, tzinfo=dt.UTC),  # midnight of a new month in Kathmandu
    dt.datetime(2025, 7, 1, 0, 0, tzinfo=dt.UTC),
]
_MICRO = dt.timedelta(microseconds=1)
_STEPS = [
    dt.timedelta(),
    dt.timedelta(minutes=30),
    dt.timedelta(hours=1),
    dt.timedelta(days=1),
    dt.timedelta(days=30),
    dt.timedelta(days=31),
    dt.timedelta(days=366),
]
_DURATIONS = ["30m", "1h", "24h", "30d"]

CONDITIONS: dict[str, list[tuple[str, Holds]]] = {
    ORDER: [
        ("", lambda e: True),
        ('event.item == "tea"', lambda e: _known(e, "item") and e.properties["item"] == "tea"),
        (
            'event.item in ["tea", "rice"] && event.units > 1',
            lambda e: (
                _known(e, "item", "units")
                and e.properties["item"] in ("tea", "rice")
                and e.properties["units"] > 1
            ),
        ),
        (
            "event.price >= 2.5 || event.gift",
            lambda e: (
                (_known(e, "price") and e.properties["price"] >= 2.5) or e.properties.get("gift") is True
            ),
        ),
        ("!known(event.price)", lambda e: not _known(e, "price")),
        (
            "double(event.units) * event.price > 3.0",
            lambda e: _known(e, "units", "price") and e.properties["units"] * e.properties["price"] > 3.0,
        ),
        ("event.time.getDayOfWeek() == 0", lambda e: e.at.weekday() == 6),
        ("event.due > event.time", lambda e: _known(e, "due") and e.properties["due"] > e.time),
        (
            "!event.gift && 10 / event.units == 5",
            lambda e: e.properties.get("gift") is False and e.properties.get("units") == 2,
        ),
    ],
    VISIT: [
        ("", lambda e: True),
        (
            'event.page.startsWith("/s")',
            lambda e: _known(e, "page") and e.properties["page"].startswith("/s"),
        ),
    ],
}


def _known(event: Happened, *names: str) -> bool:
    return all(event.properties.get(name) is not None for name in names)


OF = {
    "sum": ["price", "units"],
    "average": ["price", "units"],
    "minimum": ["price", "units", "due"],
    "maximum": ["price", "units", "due"],
    "first": ["", "price", "units", "item", "gift", "due"],
    "last": ["", "price", "units", "item", "gift", "due"],
    "distinct": ["units", "item", "gift", "due"],
    "most_frequent": ["item"],
}
AGGREGATES = [
    *OF,
    "count",
    "time_since_last",
    "time_since_first",
    "median_gap",
    "exists",
    "absent",
    "sequence",
    "rate",
]


@dataclass(frozen=True)
class Case:
    """A definition, and what its conditions mean."""

    definition: ComputedAttribute
    where: Holds
    then_where: Holds


@st.composite
def moments(draw: st.DrawFn) -> int:
    """A time in microseconds, often a step from an interesting one."""
    moment = draw(st.sampled_from(_BASES)) + draw(st.sampled_from(_STEPS)) * draw(st.sampled_from([-1, 0, 1]))
    return (moment - EPOCH) // _MICRO + draw(st.sampled_from([-1, 0, 0, 1]))


@st.composite
def happenings(draw: st.DrawFn) -> list[Happened]:
    """Events of one subject, some at one time, in any order."""
    base = draw(moments())
    count = draw(st.integers(0, 14))
    found = []
    for number in range(count):
        back = draw(st.sampled_from(_STEPS)) * draw(st.sampled_from([-1, 0, 1, 1, 1, 1, 2]))
        time = base - back // _MICRO + draw(st.sampled_from([-1, 0, 0, 0, 1]))
        if draw(st.booleans()):
            properties = draw(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "price": st.sampled_from([0.0, 0.1, 0.2, 2.5, 1e9 + 0.1, -7.3, 1e-7]),
                        "units": st.sampled_from([0, 1, 2, 3, -5, 2**62, 2**63 - 1, -(2**63)]),
                        "item": st.sampled_from(["tea", "rice", "€", "Z", "a"]),
                        "gift": st.booleans(),
                        "due": st.just(time) | moments(),
                    },
                )
            )
            found.append(Happened(ORDER, time, number, properties))
        else:
            properties = draw(st.fixed_dictionaries({}, optional={"page": st.sampled_from(["/", "/shop"])}))
            found.append(Happened(VISIT, time, number, properties))
    return found


def windows() -> st.SearchStrategy[str]:
    spans = st.sampled_from(_DURATIONS)
    return st.one_of(
        spans,
        st.tuples(spans, spans).map(" before ".join),
        st.sampled_from(sorted(PERIODS)),
        st.sampled_from(["all", f"since {ORDER}", f"since {VISIT}", "session 30m", "session 1d"]),
    )


@st.composite
def cases(draw: st.DrawFn, name: str = "attribute") -> Case:
    """A definition without problems."""
    aggregate = draw(st.sampled_from(AGGREGATES))
    event = ORDER if aggregate in OF else draw(st.sampled_from([ORDER, VISIT]))
    where, holds = draw(st.sampled_from(CONDITIONS[event]))
    more: dict[str, Any] = {}
    then_holds: Holds = holds
    if aggregate in OF:
        more["of"] = draw(st.sampled_from(OF[aggregate]))
    if aggregate == "most_frequent":
        more["top"] = draw(st.sampled_from([0, 0, 1, 3]))
        more["weight"] = draw(st.sampled_from(["", "price", "units"]))
    if aggregate == "sequence":
        more["then"] = draw(st.sampled_from([ORDER, VISIT]))
        more["then_where"], then_holds = draw(st.sampled_from(CONDITIONS[more["then"]]))
        more["within"] = draw(st.sampled_from(_DURATIONS))
    if aggregate in COMPARED and draw(st.booleans()):
        more["versus"] = draw(windows())
        more["comparison"] = draw(st.sampled_from(["difference", "ratio"]))
    zone = draw(st.sampled_from([*ZONES, "subject"]))
    definition = ComputedAttribute(
        name, event, aggregate, draw(windows()), "behavioral", where=where, time_zone=zone, **more
    )
    return Case(definition, holds, then_holds)


@st.composite
def nows(draw: st.DrawFn, events: Sequence[Happened]) -> int:
    """A time at, beside, or a window's length from an event, or any."""
    if not events or draw(st.integers(0, 4)) == 0:
        return draw(moments())
    near = draw(st.sampled_from(events)).time
    return near + draw(st.sampled_from(_STEPS)) // _MICRO + draw(st.sampled_from([-1, 0, 0, 1]))
