"""The trace of a rule, and the smallest change that would turn it over, against trying every change."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from segserver.rules import Condition, Environment, smallest_change, trace

NAMES = ("a", "b", "c", "d")
ENVIRONMENT = Environment({**dict.fromkeys(NAMES, "bool"), "age": "int", "city": "string"})

conditions = st.recursive(
    st.sampled_from(NAMES),
    lambda below: st.one_of(
        below.map("!{}".format),
        st.tuples(below, below).map("({0[0]} && {0[1]})".format),
        st.tuples(below, below).map("({0[0]} || {0[1]})".format),
        st.tuples(below, below, below).map("({0[0]} ? {0[1]} : {0[2]})".format),
    ),
    max_leaves=8,
)
truths = st.fixed_dictionaries(dict.fromkeys(NAMES, st.sampled_from([True, False, None])))


def outcome(expression: str, values: dict[str, Any]) -> Any:
    return trace(ENVIRONMENT.check(expression), values, 0).value


@settings(max_examples=200)
@given(conditions, truths)
def test_the_smallest_change_is_the_smallest(expression: str, values: dict[str, bool | None]) -> None:
    root = trace(ENVIRONMENT.check(expression), values, 0)
    wanted = root.value is not True
    costs = [
        sum(truth is not values[name] for name, truth in zip(NAMES, assignment, strict=True))
        for assignment in product(
            *([True, False] if values[n] is not None else [True, False, None] for n in NAMES)
        )
        if outcome(expression, dict(zip(NAMES, assignment, strict=True))) is wanted
    ]
    change = smallest_change(root)
    changed = values | {condition.text: condition.wanted for condition in change}
    if costs:
        assert outcome(expression, changed) is wanted
        assert len(change) == min(costs)
    else:
        assert change == ()


def test_conditions_are_named_with_their_places() -> None:
    rule = "age >= 18 &&\n (city == 'a' || city == 'b') && known(city)"
    root = trace(ENVIRONMENT.check(rule), {"age": 17, "city": None}, 0)
    assert smallest_change(root) == (
        Condition("age >= 18", 1, 5, False, True),
        Condition('city == "a"', 2, 8, None, True),
        Condition("known(city)", 2, 39, False, True),
    )


def test_a_trace_shows_every_node() -> None:
    root = trace(ENVIRONMENT.check("age > 5 || city == 'x'"), {"age": 9}, 0)
    assert (root.text, root.value, root.missing) == ('age > 5 || city == "x"', True, {"city"})
    assert [part.value for part in root.parts] == [True, None], "no shortcut: both sides are evaluated"
    assert [part.text for part in root.parts[0].parts] == ["age", "5"]
    assert (root.parts[1].line, root.parts[1].column, root.parts[1].missing) == (1, 17, {"city"})


def test_a_rule_with_many_conditions_is_quick() -> None:
    wide = " && ".join(f"age > {number}" for number in range(300))
    assert len(smallest_change(trace(ENVIRONMENT.check(wide), {"age": 100}, 0))) == 200
    twice = f"({wide}) || ({wide})"
    assert len(smallest_change(trace(ENVIRONMENT.check(twice), {"age": 100}, 0))) == 200


def test_a_value_has_no_change() -> None:
    assert smallest_change(trace(ENVIRONMENT.check("age + 1"), {"age": 1}, 0)) == ()
    assert smallest_change(trace(ENVIRONMENT.check("a || !a"), {"a": True}, 0)) == ()
