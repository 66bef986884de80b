"""Variables with a dot in their names, as conditions on events read them."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from segserver.errors import RuleError
from segserver.model import TypeName, Value
from segserver.rules import UNKNOWN, Rule

VARIABLES: dict[str, TypeName] = {
    "event.amount": "double",
    "event.category": "string",
    "event.count": "int",
    "event.tags": "list(string)",
    "event.time": "timestamp",
    "event.returned": "bool",
}
EVENT: dict[str, Value] = {
    "event.amount": 60.0,
    "event.category": "garden",
    "event.count": 3,
    "event.tags": ("new", "gift"),
    "event.time": dt.datetime(2026, 1, 31, tzinfo=dt.UTC),
}
TYPES = {
    "event.amount": pl.Float64(),
    "event.category": pl.String(),
    "event.count": pl.Int64(),
    "event.tags": pl.List(pl.String()),
    "event.time": pl.Datetime("us", "UTC"),
    "event.returned": pl.Boolean(),
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('event.amount > 50.0 && event.category == "garden"', True),
        ("event.count * 20 > int(event.amount)", False),
        (".event.amount / 7.0 < 9.0", True),
        ('event.category.upperAscii().startsWith("GAR") ? event.count == 3 : event.returned', True),
        ("event.time.getMonth() == 0 && event.time - duration('1h') < event.time", True),
        ('event.category in ["garden", "kitchen"]', True),
        ('event.tags.exists(event, event == "gift")', True),
        ("event.tags.exists(t, t + event.category == 'newgarden')", True),
        ("event.tags[1].size() == 4", True),
        ("known(event.amount) && !known(event.returned)", True),
        ("event.returned", None),
        ("event.returned && event.amount > 100.0", False),
    ],
)
def test_alone_and_in_a_table(expression: str, expected: bool | None) -> None:
    rule = Rule(expression, VARIABLES)
    assert rule.evaluate(EVENT) is (UNKNOWN if expected is None else expected)
    frame = pl.DataFrame({name: [EVENT.get(name)] for name in VARIABLES}, schema=TYPES)
    assert frame.select(answer=rule.polars())["answer"].to_list() == [expected]
    assert rule.reads == {name for name in VARIABLES if name in expression}


@pytest.mark.parametrize(
    ("expression", "line", "column", "said"),
    [
        ("event.amount > 50", 1, 14, "write 50.0"),
        ("event.count > 1 &&\n event.amont > 5.0", 2, 7, "'event.amont'"),
        ("event == 1", 1, 1, "undeclared reference to 'event'"),
        ("event.amount.count > 1", 1, 13, "select"),
        ("event.count > 0 || event.category", 1, 17, "string"),
        ("event.tags.exists(event, event.amount > 5.0)", 1, 31, "select"),
        ("has(event.amount)", 1, 4, "known"),
    ],
)
def test_an_error_names_the_place(expression: str, line: int, column: int, said: str) -> None:
    with pytest.raises(RuleError) as caught:
        Rule(expression, VARIABLES)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert said in caught.value.message
