"""Three evaluators, one meaning: the generated Python, the tracing interpreter, and Google's own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from rule_generators import NOW, SUBJECT, VARIABLES, Oracle, expressions, subjects

from segserver.rules import Computed, Environment, compile_python, trace
from segserver.rules.text import unparse

ENVIRONMENT = Environment(VARIABLES)
ORACLE = Oracle()
TYPES = [
    "bool",
    "bool",
    "bool",
    "int",
    "double",
    "string",
    "timestamp",
    "duration",
    "list(string)",
    "list(int)",
]


@st.composite
def rules(draw: st.DrawFn) -> str:
    return draw(expressions(draw(st.sampled_from(TYPES))))


def run(expression: str, subject: dict[str, Any], withheld: frozenset[str] = frozenset()) -> Any:
    steps = [Computed("result", ENVIRONMENT.check(expression))]
    program = compile_python(steps, list(VARIABLES), ["result"])
    return program([subject[name] for name in VARIABLES], NOW, SUBJECT, withheld, [])[0]


@settings(max_examples=400)
@given(rules(), st.lists(subjects(), min_size=1, max_size=4))
def test_python_trace_and_google_agree(expression: str, people: list[dict[str, Any]]) -> None:
    checked = ENVIRONMENT.check(expression)
    program = compile_python([Computed("result", checked)], list(VARIABLES), ["result"])
    evaluate = ORACLE.compile(expression)
    for subject in people:
        expected = evaluate(subject)
        compiled = program([subject[name] for name in VARIABLES], NOW, SUBJECT, frozenset(), [])[0]
        traced = trace(checked, subject, NOW, SUBJECT).value
        assert (repr(compiled), repr(traced)) == (repr(expected), repr(expected))


@settings(max_examples=150)
@given(expressions(), subjects(), subjects(partial=False))
def test_no_completion_changes_a_settled_outcome(
    expression: str, partial: dict[str, Any], others: dict[str, Any]
) -> None:
    settled = run(expression, partial)
    assume(settled is not None)
    completed = {name: others[name] if value is None else value for name, value in partial.items()}
    assert run(expression, completed) == settled


@settings(max_examples=150)
@given(rules())
def test_canonical_text_reads_back_as_the_same_tree(expression: str) -> None:
    tree = ENVIRONMENT.check(expression).tree
    assert ENVIRONMENT.check(unparse(tree)).tree == tree


@settings(max_examples=60)
@given(st.lists(rules(), min_size=2, max_size=8), subjects())
def test_many_rules_in_one_program_are_as_each_alone(expressions: list[str], subject: dict[str, Any]) -> None:
    """Each rule is there six times, so that whatever is worth sharing between rules is shared."""
    rules = [ENVIRONMENT.check(expression) for expression in expressions] * 6
    steps = [Computed(f"r{index}", checked) for index, checked in enumerate(rules)]
    program = compile_python(steps, list(VARIABLES), [step.name for step in steps])
    together = program([subject[name] for name in VARIABLES], NOW, SUBJECT, frozenset(), [])
    assert repr(together) == repr(tuple(run(expression, subject) for expression in expressions) * 6)


@settings(max_examples=60)
@given(expressions(depth=3), expressions(depth=3), subjects(), st.sets(st.sampled_from(sorted(VARIABLES))))
@example("p", "q", dict.fromkeys(VARIABLES), {"p"})
def test_known_asks_for_visibility(
    first: str, second: str, subject: dict[str, Any], withheld: set[str]
) -> None:
    visible = {name: None if name in withheld else value for name, value in subject.items()}
    expression = f"({first} && known(a)) || (!known(p) && {second}) || (known(s) ? known(t) : {second})"
    checked = ENVIRONMENT.check(expression)
    expected = trace(checked, visible, NOW, SUBJECT, frozenset(withheld)).value
    assert run(expression, visible, frozenset(withheld)) is expected


@pytest.mark.parametrize(
    ("value", "withheld", "known"), [(1, False, True), (None, False, False), (None, True, None)]
)
def test_known(value: int | None, withheld: bool, known: bool | None) -> None:
    subject = {**dict.fromkeys(VARIABLES), "a": value}
    assert run("known(a)", subject, frozenset({"a"}) if withheld else frozenset()) is known
