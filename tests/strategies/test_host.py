"""The host: what goes to a plugin's code, what may come back, and what a failure costs."""

from __future__ import annotations

import asyncio
import datetime as dt
import pickle

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.strategies.api import Function, Trait
from segserver.strategies.host import DTYPES, Failures, Host
from segserver.strategies.returned import StrategyFailedError

TYPES = {
    "n": "int",
    "text": "string",
    "at": "timestamp",
    "tags": "list(string)",
    "x": "double",
    "flag": "bool",
}
BORN = dt.datetime(1990, 5, 17, 12, tzinfo=dt.UTC)
BORN_US = int(BORN.timestamp()) * 1_000_000


def coded(trait: Trait, host: Host | None = None):
    return (host or Host()).coded(f"s.{trait.name}", trait, TYPES)


def column(type_name: str, *values: object) -> pl.Series:
    return pl.Series(values, dtype=DTYPES[type_name])


def test_code_sees_public_values_and_gives_rule_form():
    seen = []

    def code(*args):
        seen.append(args)
        return args[1] + dt.timedelta(seconds=1)

    trait = Trait("t", "timestamp", reads=["n", "at", "tags"], function=code)
    assert coded(trait).scalar(7, BORN_US, ("a", "b")) == BORN_US + 1_000_000
    assert seen == [(7, BORN, ("a", "b"))]


@pytest.mark.parametrize(
    ("type_name", "result", "expected"),
    [
        ("bool", True, True),
        ("int", 5, 5),
        ("double", 5, 5.0),
        ("string", "x", "x"),
        ("list(string)", ["a"], ("a",)),
        ("timestamp", BORN.astimezone(dt.timezone(dt.timedelta(hours=3))), BORN_US),
        ("int", None, None),
    ],
)
def test_what_comes_back_is_in_rule_form(type_name, result, expected):
    value = coded(Trait("t", type_name, reads=["n"], function=lambda n: result)).scalar(1)
    assert value == expected
    assert type(value) is type(expected)


def leak(n):
    raise ValueError(f"the customer is {n}")


def stop(n):
    raise SystemExit(3)


class Panic(BaseException):
    """As Rust's panics come to Python."""


def raising(error):
    def code(n):
        raise error

    return code


@pytest.mark.parametrize(
    ("type_name", "function", "last"),
    [
        ("int", raising(Panic("the customer is 1234")), "Panic"),
        ("int", raising(asyncio.CancelledError()), "CancelledError"),
        ("int", raising(GeneratorExit()), "GeneratorExit"),
        ("string", lambda n: "x" * 65_537, "InvalidInput"),
        ("list(string)", lambda n: ["x"] * 1_001, "InvalidInput"),
        ("list(string)", lambda n: ["x" * 65_537], "InvalidInput"),
        ("list(string)", lambda n: ["x" * 60_000] * 100, "InvalidInput"),
        ("int", leak, "ValueError"),
        ("int", stop, "SystemExit"),
        ("int", lambda n: "text", "InvalidInput"),
        ("int", lambda n: True, "InvalidInput"),
        ("int", lambda n: 2**63, "InvalidInput"),
        ("double", lambda n: float("nan"), "InvalidInput"),
        ("timestamp", lambda n: dt.datetime(2020, 1, 1), "InvalidInput"),
    ],
)
def test_a_failure_is_counted_and_tells_no_data(type_name, function, last):
    host = Host()
    step = coded(Trait("t", type_name, reads=["n"], function=function), host)
    for count in (1, 2):
        with pytest.raises(StrategyFailedError) as caught:
            step.scalar(4711)
        assert "4711" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        assert host.failures == {"s.t": Failures(count, last)}


def test_a_value_outside_the_declared_list_is_a_failure():
    trait = Trait("t", "string", reads=["text"], function=lambda t: t, values=["a", "b"])
    assert coded(trait).scalar("a") == "a"
    with pytest.raises(StrategyFailedError):
        coded(trait).scalar("c")
    several = Trait("t", "list(string)", reads=["tags"], function=lambda t: t, values=["a", "b"])
    assert coded(several).scalar(("b", "a")) == ("b", "a")
    with pytest.raises(StrategyFailedError):
        coded(several).scalar(("b", "c"))


def test_without_a_vectorized_form_the_rules_adapt_the_scalar_one():
    assert coded(Trait("t", "int", reads=["n"], function=lambda n: n)).vectorized is None


def test_with_a_vectorized_form_alone_one_subject_is_a_column_of_one():
    lengths = []

    def double(numbers):
        lengths.append(len(numbers))
        return numbers * 2

    step = coded(Trait("t", "int", reads=["n"], vectorized=double))
    assert step.scalar(21) == 42
    assert step.vectorized(column("int", 1, 2, 3)).to_list() == [2, 4, 6]
    assert lengths == [1, 3]


@pytest.mark.parametrize(
    ("type_name", "read", "value"),
    [
        ("timestamp", "at", BORN_US),
        ("list(string)", "tags", ("a", "b")),
        ("bool", "flag", True),
        ("double", "x", 0.5),
    ],
)
def test_every_type_passes_through_a_vectorized_form(type_name, read, value):
    step = coded(Trait("t", type_name, reads=[read], vectorized=lambda values: values))
    result = step.scalar(value)
    assert result == value
    assert type(result) is type(value)


def test_no_rows_call_no_code():
    def never(numbers):
        raise AssertionError

    step = coded(Trait("t", "string", reads=["n"], vectorized=never))
    assert step.vectorized(column("int")).dtype == pl.String()


def test_nothing_known_is_a_column_of_nulls():
    step = coded(Trait("t", "int", reads=["n"], vectorized=lambda n: pl.Series([None] * len(n))))
    assert step.vectorized(column("int", 1, 2)).equals(column("int", None, None))


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (lambda numbers: numbers.to_list(), [None, None, None]),
        (lambda numbers: numbers.cast(pl.String()), [None, None, None]),
        (lambda numbers: numbers.head(1), [0, 1, 1]),
    ],
)
def test_where_a_wrong_column_comes_back_each_input_is_tried_alone(wrong, expected):
    host = Host()
    step = coded(Trait("t", "int", reads=["n"], vectorized=wrong), host)
    assert step.vectorized(column("int", 0, 1, 1)).to_list() == expected
    assert host.failures["s.t"].last == "InvalidInput"


def test_one_bad_row_costs_no_other_its_value():
    def strict(numbers):
        if (numbers == 13).any():
            raise ValueError("unlucky")
        return numbers * 2

    host = Host()
    step = coded(Trait("t", "int", reads=["n"], vectorized=strict), host)
    assert step.vectorized(column("int", 1, 13, 2, 13)).to_list() == [2, None, 4, None]
    assert host.failures["s.t"].last == "ValueError"


def test_values_outside_the_list_and_nan_are_masked_in_a_table():
    host = Host()
    words = coded(Trait("w", "string", reads=["text"], vectorized=lambda t: t, values=["a"]), host)
    assert words.vectorized(column("string", "a", "b", "a")).to_list() == ["a", None, "a"]
    lists = coded(Trait("l", "list(string)", reads=["tags"], vectorized=lambda t: t, values=["a"]), host)
    assert lists.vectorized(column("list(string)", ["a"], ["a", "b"], [])).to_list() == [["a"], None, []]
    numbers = coded(Trait("n", "double", reads=["x"], vectorized=lambda x: x / 0.0), host)
    assert numbers.vectorized(column("double", 1.0, 0.0)).to_list() == [None, None]
    assert {name: failures.count for name, failures in host.failures.items()} == {
        "s.l": 1,
        "s.n": 2,
        "s.w": 1,
    }


def tidy(text: str) -> str | None:
    word = text.strip().lower()
    if word == "boom":
        raise ValueError(word)
    return word or None


def tidy_column(texts: pl.Series) -> pl.Series:
    words = texts.str.strip_chars().str.to_lowercase()
    if (words == "boom").any():
        raise ValueError("boom")
    return words.replace("", None)


@given(st.lists(st.sampled_from(["a", " A", "b", "", " ", "boom", "c "])))
def test_one_subject_and_a_table_agree(texts):
    values = ["a", "b"]
    step = coded(Trait("t", "string", reads=["text"], function=tidy, vectorized=tidy_column, values=values))

    def one(text: str) -> str | None:
        try:
            return step.scalar(text)
        except StrategyFailedError:
            return None

    assert step.vectorized(column("string", *texts)).to_list() == [one(text) for text in texts]


@pytest.mark.parametrize(
    ("type_name", "short", "long"),
    [
        ("string", "x" * 65_536, "x" * 65_537),
        ("list(string)", ["x"] * 1_000, ["x"] * 1_001),
        ("list(string)", [], ["x" * 65_537]),
        ("list(string)", ["x" * 60_000], ["x" * 60_000] * 100),
    ],
)
def test_a_value_that_is_too_long_is_masked_in_a_table(type_name, short, long):
    host = Host()
    trait = Trait("t", type_name, reads=["n"], vectorized=lambda n: column(type_name, short, long, None))
    result = coded(trait, host).vectorized(column("int", 1, 2, 3))
    assert result.to_list() == [short, None, None]
    assert host.failures == {"s.t": Failures(1, "InvalidInput")}


def test_a_persons_interruption_is_no_failure_of_a_strategy():
    host = Host()
    with pytest.raises(KeyboardInterrupt):
        coded(Trait("t", "int", reads=["n"], function=raising(KeyboardInterrupt())), host).scalar(1)
    assert host.failures == {}


def test_functions_of_plugins_are_guarded_too():
    host = Host()
    guarded = host.function(Function("half(int) -> int", leak, title="Half"))
    assert guarded.title == "Half"
    assert guarded.vectorized is None
    with pytest.raises(StrategyFailedError):
        guarded.function(4711)
    assert host.failures == {"half": Failures(1, "ValueError")}
    both = host.function(Function("same(int) -> int", lambda n: n, lambda n: n))
    assert both.function(5) == 5
    assert both.vectorized(column("int", 5)).to_list() == [5]


def test_a_coded_trait_travels_to_another_process():
    step = coded(Trait("t", "string", reads=["text"], function=tidy, vectorized=tidy_column))
    again = pickle.loads(pickle.dumps(step))  # noqa: S301 - our own bytes
    assert again.scalar(" X ") == "x"
    assert again.vectorized(column("string", " X ")).to_list() == ["x"]


def test_the_code_of_the_traits_in_use_runs_once_on_its_example():
    seen = []
    trait = Trait("a", "int", reads=("x",), function=lambda x: seen.append(x) or 1, example=("hello",))
    other = Trait("b", "int", reads=("x",), function=lambda x: seen.append("b") or 1, example=("b",))
    host = Host()
    host.coded("s.a", trait, {"x": "string"})
    host.coded("s.b", other, {"x": "string"})
    host.warm_up(["s.a", "s.unknown"])
    assert seen == ["hello"]
    assert host.failures == {}


def test_a_failure_on_the_example_is_counted_and_goes_no_further():
    def fail(x):
        raise ValueError("no file")

    host = Host()
    host.coded("s.a", Trait("a", "int", reads=("x",), function=fail, example=("hello",)), {"x": "string"})
    host.warm_up(["s.a"])
    assert host.failures["s.a"].count == 1
    assert host.failures["s.a"].last == "ValueError"
