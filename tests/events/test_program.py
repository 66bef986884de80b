"""Definitions: what is wrong with them, what they read, their types; values on edges; when they change."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from events_generators import EVENTS, ORDER, VISIT

from segserver.errors import InvalidInput, RuleError
from segserver.events.bulk import bulk
from segserver.events.checking import property_problems
from segserver.events.definitions import ComputedAttribute, Event, Property
from segserver.events.history import Chunk, History
from segserver.events.program import ComputedProgram, problems
from segserver.events.windows import DAY
from segserver.rules import Function
from segserver.rules.times import from_datetime

HOUR = DAY // 24
NOW = from_datetime(dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC))


def attribute(
    aggregate: Any = "count", window: str = "30d", event: str = ORDER, **more: Any
) -> ComputedAttribute:
    return ComputedAttribute("x", event, aggregate, window, "behavioral", **more)


def value(definition: ComputedAttribute, *times: int, zone: str | None = None, **properties: Any) -> Any:
    program = ComputedProgram({"x": definition}, EVENTS)
    return program.evaluate(["x"], histories(*times, **properties), NOW, zone=zone).get("x")


def histories(*times: int, **properties: Any) -> dict[str, History]:
    return {ORDER: History.of(Chunk.of((time, n, properties) for n, time in enumerate(times)))}


def change(definition: ComputedAttribute, *times: int, **floors: int) -> int | None:
    program = ComputedProgram({"x": definition}, EVENTS)
    return program.next_change(["x"], histories(*times), NOW, floors=floors)


@pytest.mark.parametrize(
    ("definition", "field", "message"),
    [
        (attribute(event="ordr"), "event", "'ordr' is not an event of this catalog; did you mean order?"),
        (attribute("cuont"), "aggregate", "did you mean count?"),
        (attribute(window="0d"), "window", "longer than zero"),
        (attribute(window="thirty days"), "window", "not a window"),
        (attribute(window="since vist"), "window", "did you mean visit?"),
        (attribute(window="today", time_zone="Europe/Berln"), "time_zone", "not a time zone"),
        (attribute(time_zone=""), "time_zone", "not a time zone"),
        (attribute("sum"), "of", "sum needs the property"),
        (attribute("sum", of="item"), "of", "item is string; it must be double or int"),
        (attribute("sum", of="unit"), "of", "'unit' is not a property of order; did you mean units"),
        (attribute("distinct", of="price"), "of", "price is double"),
        (attribute("count", of="units"), "of", "of the event itself"),
        (attribute("sum", of="units", weight="price"), "weight", "only most_frequent"),
        (attribute("most_frequent", of="item", weight="gift"), "weight", "gift is bool"),
        (attribute("most_frequent", of="item", top=101), "top", "from 0 to 100"),
        (attribute(top=3), "top", "only most_frequent"),
        (attribute("sequence"), "then", "needs the event that follows"),
        (attribute("sequence", then=VISIT, within="0m"), "within", "longer than zero"),
        (attribute("sequence", then="vist", within="1d"), "then", "did you mean visit?"),
        (attribute(then=VISIT), "then", "only sequence"),
        (attribute(then_where="true"), "then_where", "only sequence"),
        (attribute("exists", versus="30d before 30d"), "versus", "exists can't be compared"),
        (attribute(versus="30"), "versus", "not a duration"),
        (attribute(versus="7d", comparison="quotient"), "comparison", "not a comparison"),
        (attribute(where="event.units"), "where", "1:6: the rule must be bool"),
        (attribute(where="event.units > 1.0"), "where", "turn the int into a double"),
        (attribute(where="event.untis > 1"), "where", "undeclared reference to 'event.untis'"),
        (
            attribute(where="event.untis > 1"),
            "where",
            "'event.untis'; order has due, gift, item, price, time and units",
        ),
        (attribute(where="age > 1"), "where", "undeclared reference to 'age'"),
        (attribute(where="event.time > now"), "where", "can't read now"),
        (attribute(where='bucket("a") < 0.5'), "where", "can't call bucket()"),
        (attribute(where="event.units >"), "where", "Syntax error"),
    ],
)
def test_problems_name_the_field_and_what_to_write(
    definition: ComputedAttribute, field: str, message: str
) -> None:
    found = problems(definition, EVENTS)
    assert [(at, said) for at, said in found if at == field and message in said], found
    with pytest.raises(InvalidInput):
        ComputedProgram({"x": definition}, EVENTS)


def test_all_problems_are_found_at_once() -> None:
    definition = attribute("sum", "0d", of="itm", where="event.itm == 1", versus="x", time_zone="?", top=-1)
    fields = {field for field, _ in problems(definition, EVENTS)}
    assert fields == {"window", "of", "where", "versus", "time_zone", "top"}


def test_a_wrong_condition_is_a_rule_error_with_its_place() -> None:
    with pytest.raises(RuleError) as raised:
        ComputedProgram({"x": attribute(where="true &&\n  event.nix")}, EVENTS)
    assert (raised.value.line, raised.value.column) == (2, 8)


def test_an_event_has_properties_that_conditions_can_read() -> None:
    properties = {
        "time": Property("int", "behavioral"),
        "in": Property("int", "behavioral"),
        "Size": Property("int", "behavioral"),
        "tags": Property("list(string)", "behavioral"),
        "n": Property("int", "behavioral", values=["1"]),
    }
    found = property_problems(Event("seen", "behavioral", properties))
    assert [field for field, _ in found] == [
        "properties.Size",
        "properties.in",
        "properties.n",
        "properties.tags",
        "properties.time",
    ]
    assert all(property_problems(event) == [] for event in EVENTS.values())


def test_what_an_attribute_reads_is_told() -> None:
    definition = attribute(
        "most_frequent",
        f"since {VISIT}",
        of="item",
        weight="price",
        where="event.gift && event.time > event.due",
    )
    sequence = attribute("sequence", then=VISIT, within="1d", then_where='event.page == "/"')
    program = ComputedProgram({"a": definition, "b": sequence}, EVENTS)
    orders = {(ORDER, name) for name in ("", "item", "price", "gift", "due")}
    assert program.reads["a"] == orders | {(VISIT, "")}
    assert program.reads["b"] == {(ORDER, ""), (VISIT, ""), (VISIT, "page")}
    assert program.events_of(["b"]) == {ORDER, VISIT}
    with pytest.raises(InvalidInput):
        program.events_of(["c"])


def test_plugins_functions_can_be_called() -> None:
    double = Function("twice(int) -> int", lambda n: 2 * n)
    program = ComputedProgram({"x": attribute(where="twice(event.units) == 6")}, EVENTS, [double])
    found = histories(NOW, NOW, units=3)
    assert program.evaluate(["x"], found, NOW) == {"x": 2}
    frame = pl.DataFrame({"subject": ["a"], "number": [0], "units": [3]}).with_columns(
        time=pl.lit(dt.datetime(2026, 6, 1, tzinfo=dt.UTC)).cast(pl.Datetime("us", "UTC"))
    )
    assert bulk(program, ["x"], {ORDER: frame}, frame.select("subject"), NOW)["x"].to_list() == [1]


@pytest.mark.parametrize(
    ("window", "times", "expected"),
    [
        ("30d", [NOW], 1),
        ("30d", [NOW + 1], 0),
        ("30d", [NOW - 30 * DAY], 0),
        ("30d", [NOW - 30 * DAY + 1], 1),
        ("30d before 30d", [NOW - 30 * DAY], 1),
        ("30d before 30d", [NOW - 30 * DAY + 1, NOW - 60 * DAY], 0),
        ("this_month", [NOW - 14 * DAY - 12 * HOUR, NOW - 14 * DAY - 12 * HOUR - 1], 1),
        ("since order", [NOW], 0),
        ("session 1h", [NOW - HOUR + 1, NOW - 2 * HOUR + 2, NOW - 3 * HOUR + 2], 2),
        ("session 1h", [NOW - HOUR], 0),
        ("all", [0, NOW, NOW + 1], 2),
    ],
)
def test_windows_end_where_they_say(window: str, times: list[int], expected: int) -> None:
    assert value(attribute(window=window), *times) == expected


def test_sums_do_not_depend_on_order_and_end_at_64_bits() -> None:
    tenth = attribute("sum", of="price")
    assert value(tenth, *range(NOW - 9, NOW + 1), price=0.1) == 1.0
    assert value(tenth, NOW, NOW, price=1e-7) == 0.0
    assert value(attribute("sum", of="units"), NOW, NOW, units=2**62) is None
    assert value(attribute("average", of="units"), NOW, NOW, units=2**62) == 2.0**62


def test_a_subject_without_a_time_zone_has_no_calendar() -> None:
    mine = attribute(window="today", time_zone="subject")
    assert [value(mine, NOW, zone=zone) for zone in (None, "", "Mars/Base", "Asia/Kathmandu")] == [
        None
    ] * 3 + [1]


def test_a_follower_of_the_same_name_is_another_event() -> None:
    again = attribute("sequence", then=ORDER, within="1d")
    assert value(again, NOW) is False
    assert value(again, NOW, NOW) is True
    assert value(again, NOW - DAY, NOW) is True
    assert value(again, NOW - DAY - 1, NOW) is False


def test_a_rate_is_by_the_windows_length() -> None:
    assert value(attribute("rate", "10d"), NOW, NOW - DAY) == 0.2
    assert value(attribute("rate", "all"), NOW, NOW - 4 * DAY + 1) == 0.5
    assert value(attribute("rate", "yesterday"), NOW - DAY) == 1.0
    assert value(attribute("rate", "all")) == 0.0


@pytest.mark.parametrize(
    ("definition", "times", "expected"),
    [
        (attribute(), [NOW - 3 * DAY, NOW - DAY], NOW + 27 * DAY),
        (attribute("exists"), [NOW - 3 * DAY, NOW - DAY], NOW + 29 * DAY),
        (attribute(), [NOW - 40 * DAY], None),
        (attribute(), [NOW - 40 * DAY, NOW + HOUR], NOW + HOUR),
        (attribute(window="10d before 30d"), [NOW - DAY], NOW + 29 * DAY),
        (attribute(window="today"), [NOW], NOW + 12 * HOUR),
        (attribute(window="today"), [NOW - DAY], None),
        (attribute(window="all"), [NOW - DAY], None),
        (attribute(window="session 1h"), [NOW - HOUR // 2], NOW + HOUR // 2),
        (attribute(where="event.units > 0"), [NOW], None),
        (attribute("time_since_last"), [NOW - DAY], NOW + 29 * DAY),
    ],
)
def test_the_next_change_is_told(
    definition: ComputedAttribute, times: list[int], expected: int | None
) -> None:
    assert change(definition, *times) == expected


def test_expiry_changes_values_too() -> None:
    assert change(attribute(window="all"), NOW - DAY, order=NOW - 10 * DAY) == NOW + 9 * DAY
    assert change(attribute(window="all"), NOW - 10 * DAY, order=NOW - 10 * DAY) is None


def test_what_changes_at_every_moment_is_told() -> None:
    program = ComputedProgram(
        {
            "since": attribute("time_since_last"),
            "growing": attribute("rate", "this_month"),
            "sliding": attribute("rate", "30d"),
            "past": attribute("rate", "last_month"),
            "count": attribute(),
        },
        EVENTS,
    )
    assert program.continuous(program.types) == {"since", "growing"}


def test_columns_of_another_type_are_refused_in_bulk() -> None:
    program = ComputedProgram({"x": attribute("sum", of="units")}, EVENTS)
    subjects = pl.DataFrame({"subject": ["a"]})
    time = pl.Series("time", [], dtype=pl.Datetime("us", "UTC"))
    for frame in (
        pl.DataFrame({"subject": ["a"]}),
        pl.DataFrame([pl.Series("subject", [], pl.String()), time, pl.Series("number", [], pl.String())]),
        pl.DataFrame({"subject": ["a"], "time": [1], "number": [1]}),
    ):
        with pytest.raises(InvalidInput):
            bulk(program, ["x"], {ORDER: frame}, subjects, NOW)
    assert bulk(program, ["x"], {}, subjects, NOW).to_dicts() == [{"subject": "a", "x": 0}]
    assert bulk(program, ["x"], {}, subjects.clear(), NOW).is_empty()
