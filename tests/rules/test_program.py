"""A program of several steps: order, traits of code, failures, what depends on what is withheld."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from segserver.errors import InvalidInput
from segserver.rules import Coded, Computed, Environment, compile_python
from segserver.rules.values import adapt, from_rule, to_rule

ENVIRONMENT = Environment(
    {"age": "int", "city": "string", "adult": "bool", "size": "string", "born": "timestamp"}
)


def computed(name: str, expression: str) -> Computed:
    return Computed(name, ENVIRONMENT.check(expression))


def coded(scalar: Any, type_name: str = "string") -> Coded:
    return Coded("size", type_name, ("city",), scalar)


def run(
    steps: list[Any], values: list[Any], outputs: list[str], **options: Any
) -> tuple[tuple[Any, ...], list[str]]:
    failures: list[str] = []
    withheld = options.pop("withheld", frozenset())
    program = compile_python(steps, ["age", "city"], outputs, **options)
    return program(values, 0, "subject", withheld, failures), failures


def test_steps_read_earlier_steps() -> None:
    steps = [computed("adult", "age >= 18"), coded(len, "int"), computed("x", "adult && city == 'b'")]
    assert run(steps, [18, "b"], ["x", "adult", "size"]) == ((True, True, 1), [])
    assert run(steps, [None, "c"], ["x", "adult"]) == ((False, None), [])


def test_only_what_is_needed_is_computed() -> None:
    calls: list[str] = []
    steps = [coded(calls.append), computed("adult", "age >= 18")]
    assert run(steps, [18, "b"], ["adult"]) == ((True,), [])
    assert calls == []


def test_a_coded_step_is_not_called_with_an_unknown() -> None:
    calls: list[str] = []
    assert run([coded(calls.append)], [1, None], ["size"]) == ((None,), [])
    assert calls == []


@pytest.mark.parametrize(
    "scalar", [lambda city: 1 / 0, lambda city: 5, lambda city: ("a",), lambda city: b"x"]
)
def test_a_failure_costs_only_its_own_value(scalar: Any) -> None:
    steps = [coded(scalar), computed("big", "size == 'big' || age > 1")]
    assert run(steps, [2, "b"], ["size", "big"]) == ((None, True), ["size"])
    assert run(steps, [1, "b"], ["size", "big"]) == ((None, None), ["size"])


def test_no_value_is_no_failure() -> None:
    assert run([coded(lambda city: None)], [1, "b"], ["size"]) == ((None,), [])


def test_known_of_a_step_asks_what_it_depends_on() -> None:
    steps = [computed("adult", "age >= 18"), computed("seen", "known(adult)")]
    origins = {"adult": frozenset({"age"})}
    assert run(steps, [18, ""], ["seen"], origins=origins) == ((True,), [])
    assert run(steps, [None, ""], ["seen"], origins=origins) == ((False,), [])
    assert run(steps, [None, ""], ["seen"], origins=origins, withheld=frozenset({"age"})) == ((None,), [])


@pytest.mark.parametrize(
    ("steps", "outputs"),
    [
        ([computed("x", "adult")], ["x"]),
        ([computed("x", "adult"), computed("adult", "age > 1")], ["x"]),
        ([computed("x", "age > 1"), computed("x", "age > 2")], ["x"]),
        ([computed("age", "city == ''")], ["age"]),
        ([], ["nothing"]),
    ],
)
def test_a_program_that_does_not_fit_together(steps: list[Any], outputs: list[str]) -> None:
    with pytest.raises(InvalidInput):
        compile_python(steps, ["age", "city"], outputs)


def test_repeated_expressions_are_computed_once() -> None:
    steps = [computed(f"s{number}", f"city.lowerAscii().trim() == '{number}'") for number in range(50)]
    program = compile_python(steps, ["age", "city"], [step.name for step in steps])
    assert program.source.count("f_string_trim(") == 1
    assert program([0, " 7 "], 0, "", frozenset(), []).count(True) == 1


def test_inputs_and_outputs_keep_their_order() -> None:
    program = compile_python([], ["city", "age"], ["age", "city", "now"])
    assert program(["x", 1], 5, "", frozenset(), []) == (1, "x", 5)
    assert (program.inputs, program.outputs) == (("city", "age"), ("age", "city", "now"))


def test_an_output_asked_for_twice_is_computed_once() -> None:
    calls: list[str] = []
    assert run([coded(lambda city: calls.append(city) or city)], [1, "b"], ["size", "size"]) == (
        ("b", "b"),
        [],
    )
    assert calls == ["b"]


def test_adapted_functions_see_public_values() -> None:
    moment = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    later = adapt(lambda at, days: at + dt.timedelta(days=days), ["timestamp", "int"], "timestamp")
    assert from_rule(later(to_rule(moment, "timestamp"), 1), "timestamp") == moment + dt.timedelta(days=1)
    assert adapt(lambda: ["a"], [], "list(string)")() == ("a",)
    assert adapt(lambda: None, [], "int")() is None
    with pytest.raises(InvalidInput):
        adapt(lambda: float("nan"), [], "double")()
