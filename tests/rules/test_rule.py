"""One rule by itself: what it takes, what it refuses, and how it says so."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.errors import InvalidInput, RuleError
from segserver.rules import UNKNOWN, Computed, Environment, Rule, compile_python
from segserver.rules.text import double_text

VARIABLES = {
    "age": "int",
    "country": "string",
    "tags": "list(string)",
    "since": "timestamp",
    "spend": "double",
}


def test_a_rule_is_settled_by_what_is_visible() -> None:
    rule = Rule("age >= 18 && country in ['DE', 'AT']", {"age": "int", "country": "string"})
    assert rule.evaluate({"age": 30, "country": "DE"}) is True
    assert rule.evaluate({"country": "FR"}) is False
    assert rule.evaluate({"age": 30}) is UNKNOWN
    assert rule.evaluate({"age": 30, "country": "DE"}, withheld=frozenset({"age"})) is UNKNOWN
    assert rule.reads == {"age", "country"}
    assert rule.type == "bool"


def test_values_come_back_as_they_went_in() -> None:
    since = dt.datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=dt.UTC)
    assert Rule("since", VARIABLES).evaluate({"since": since}) == since
    assert Rule("now - since", VARIABLES).evaluate({"since": since}, now=since) == dt.timedelta()
    assert Rule("tags + ['x']", VARIABLES).evaluate({"tags": ("a",)}) == ("a", "x")
    assert Rule("spend * 2.0", VARIABLES).evaluate({"spend": 2}) == 4.0


def test_unknown_has_no_truth_value() -> None:
    assert repr(UNKNOWN) == "UNKNOWN"
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(UNKNOWN)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("age", 1.5, "got double"),
        ("age", 2**63, "beyond 64 bits"),
        ("age", True, "got bool"),
        ("spend", math.nan, "not finite"),
        ("since", dt.datetime(2024, 1, 1), "without a time zone"),
        ("tags", "a", "got string"),
        ("countri", "DE", "did you mean country"),
        ("now", dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "not a variable"),
    ],
)
def test_a_wrong_value_names_its_variable(name: str, value: object, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        Rule("age > 1", VARIABLES).evaluate({name: value})  # type: ignore[dict-item]
    assert caught.value.violations[0].field == name


@pytest.mark.parametrize(
    ("expression", "line", "column", "words"),
    [
        ("age <", 1, 6, "Syntax error"),
        ("age > 1 &&\n  country", 1, 9, "_&&_"),
        ("true &&\n  age == 'x'", 2, 7, "no matching overload"),
        ("nobody == 1", 1, 1, "undeclared reference to 'nobody'"),
        ("{1: 2} == {1: 2}", 1, 1, "maps and messages"),
        ("1u == 1u", 1, 1, "unsigned"),
        ("null == null", 1, 1, "null"),
        ("b'a' == b'a'", 1, 1, "bytes"),
        ("dyn(1) == 1.0", 1, 8, "_==_ is not supported for (int, double)"),
        ("[1, 'a'] == [1]", 1, 1, "one type"),
        ("'%s'.format([age]) == ''", 1, 12, "format"),
        ("country.matches('(')", 1, 16, "regular expression"),
        ("since.getHours('Nowhere') == 1", 1, 15, "not a time zone"),
        ("known(age + 1)", 1, 6, "takes the name"),
        ("tags.exists(e, known(e))", 1, 21, "takes the name"),
        ("bucket(country) < 0.5", 1, 7, "literal"),
        ("since > timestamp('2020-01-01T00:00:00.123456789Z')", 1, 18, "microsecond"),
        ("duration('1ns') < duration('1s')", 1, 9, "microsecond"),
        ("int(duration('1s')) == 1", 1, 4, "int is not supported"),
        ("type(age) == 1", 1, 11, ""),
        ("[].exists(e, e == 1)", 1, 10, "elements have no type"),
        ("(" * 40 + "age" + ")" * 40, 1, 1, "recursion"),
        ("age" + " + age" * 100, 1, 1, "recursion"),
        ("tags.exists(e, " * 30 + "true" + ")" * 30, 1, 1, ""),
        ("'" + "x" * 70_000 + "'", 1, 1, "characters"),
        ("'\ud800' == ''", 1, 1, "Unicode"),
    ],
)
def test_what_cannot_be_compiled_is_refused_at_its_place(
    expression: str, line: int, column: int, words: str
) -> None:
    with pytest.raises(RuleError) as caught:
        Rule(expression, VARIABLES)
    assert words in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)


SLIPS = [
    ("spend >= 100", 7, "(double, int)'; write 100.0"),
    ("100 <= spend", 5, "(int, double)'; write 100.0"),
    ("spend * 2 > 3.0", 7, "write 2.0"),
    ("visits > 3.5", 8, "double(x)"),
    ("visits > 1 and vip", 12, "; write &&"),
    ("vip OR vip", 5, "; write ||"),
    ("not vip", 5, "; write !"),
    ("!vip & vip", 6, "; write &&"),
    ("city not in ['a']", 6, "; write !(x in y)"),
    ("city = 'x'", 6, "; write =="),
    ("city <> 'x'", 7, "; write !="),
    ("city == null", 6, "(string, null)'; write known(x)"),
    ("city != None", 9, "; write known(x)"),
    ("vip == True", 8, "; write true"),
    ("vip == 'true'", 5, "x or !x"),
    ("has(city)", 5, "; write known(x)"),
    ("has(a.b)", 4, "has() is not supported; known(x)"),
    ("vip || has (a.b) && vip", 12, "has() is not supported; known(x)"),
    ("len(city) > 3", 4, "undeclared reference to 'len'; write size(string)"),
    ("city.lower() == 'x'", 11, "; write string.lowerAscii()"),
    ("city.startswith('x')", 16, "; write string.startsWith(string)"),
    ("tags.exist_one()", 15, "; write list.exists_one(x, condition)"),
    ("distancekm(1.0, 1.0, 2.0, 2.0) > 1.0", 11, "; write distance_km("),
    ("city.contains()", 14, "it takes other arguments: string.contains(string)"),
    ("known()", 6, "it takes other arguments: known(x)"),
    ("joined > '2026-01-01'", 8, "(timestamp, string)'; write the time as timestamp("),
    ("now - joined > 30", 14, "(duration, int)'; write the duration as duration("),
    ("if(vip, 1, 2) == 1", 1, "; write condition ? x : y"),
    ('timestamp("2024-02-30T00:00:00Z") < now', 10, 'timestamp("2024-02-30T00:00:00Z") has no value; write'),
    ("now - duration('30d') > joined", 15, 'duration("30d") has no value; write'),
    ("vip || int('x') > 2", 11, 'int("x") has no value; write'),
    ("double('1,5') > 2.0", 7, 'double("1,5") has no value; write'),
    ("bool('maybe')", 5, 'bool("maybe") has no value; write'),
    ("int(1e30) > 2", 4, "has no value; write"),
    ("timestamp(999999999999) > now", 10, "has no value; write"),
    (f"int('{'x' * 100}') > 1", 4, "x… has no value"),
]


@pytest.mark.parametrize(("expression", "column", "words"), SLIPS, ids=[slip[0][:40] for slip in SLIPS])
def test_a_slip_is_told_with_what_to_write(expression: str, column: int, words: str) -> None:
    variables = {"spend": "double", "visits": "int", "vip": "bool", "city": "string", "a.b": "bool"}
    with pytest.raises(RuleError) as caught:
        Rule(expression, {**variables, "joined": "timestamp", "tags": "list(string)"})
    assert words in caught.value.message.splitlines()[0]
    assert (caught.value.line, caught.value.column) == (1, column)
    assert "container" not in caught.value.message
    assert "google.protobuf" not in caught.value.message


def test_an_error_shows_the_place() -> None:
    with pytest.raises(RuleError) as caught:
        Rule("age > 1 ||\n  country == 5", VARIABLES)
    assert caught.value.excerpt == " |   country == 5\n | ..........^"
    with pytest.raises(RuleError) as caught:
        Rule("nobody == 1 && noone == 2", VARIABLES)
    assert "1:1: undeclared" in str(caught.value)
    assert "1:16: undeclared" in str(caught.value), "all errors are told, not only the first"


def test_a_rule_of_another_type_than_expected() -> None:
    with pytest.raises(RuleError, match="the rule must be bool, and is int"):
        Environment({"age": "int"}).check("age + 1", "bool")


@pytest.mark.parametrize("name", ["", "1a", "a-b", "in", "int", "a.true", "a..b", "a b"])
def test_a_name_that_cel_cannot_read(name: str) -> None:
    with pytest.raises(InvalidInput):
        Environment({name: "int"})


def test_a_long_chain_is_no_deep_one() -> None:
    rule = Rule(" || ".join(f"age == {number}" for number in range(1500)), VARIABLES)
    assert rule.evaluate({"age": 1499}) is True
    assert rule.evaluate({"age": 1500}) is False
    assert rule.evaluate({}) is UNKNOWN


@pytest.mark.parametrize(
    "template",
    [
        "({} ? country == 'a' : spend > 1.0)",
        "(({} ? age : 1) == 2)",
        "(({}) == (age > 1))",
        "!(country == 'x' && ({} || spend > 1.0))",
        "tags.exists(e, e == 'a' ? {} : true)",
    ],
)
def test_code_grows_with_the_rule_and_not_with_its_nesting(template: str) -> None:
    def source_length(depth: int) -> int:
        expression = "age > 0"
        for _ in range(depth):
            expression = template.format(expression)
        checked = Environment(VARIABLES).check(expression)
        return len(compile_python([Computed("rule", checked)], sorted(VARIABLES), ["rule"]).source)

    assert source_length(7) < 7 * source_length(2)


@pytest.mark.parametrize("text", ["'); import os #", '"""', "\\", "\n", "{0}", "\u2028", "__class__"])
def test_no_text_of_a_rule_is_run(text: str) -> None:
    literal = "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
    rule = Rule(
        f"country == {literal} || country in [{literal}, 'b'] || country.startsWith({literal})", VARIABLES
    )
    assert rule.evaluate({"country": text}) is True
    assert rule.evaluate({"country": "no"}) is False


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_written_so_that_a_rule_reads_it_back(value: float) -> None:
    assert Rule(double_text(value)).evaluate({}) == value
    assert Rule(double_text(value)).checked.type == "double"
