"""Generated rules over generated tables: Polars, the generated Python and Google's evaluator agree, row by
row.
"""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rule_generators import NOW, SUBJECT, VARIABLES, Oracle, expressions, subjects
from rule_tables import from_table, to_table

from segserver.rules import Computed, Environment, compile_python
from segserver.rules.polars import compile_polars, expression
from segserver.rules.times import to_datetime

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
PEOPLE = st.lists(subjects(), min_size=1, max_size=8)
WITHHELD = st.sets(st.sampled_from(sorted(VARIABLES)))


@st.composite
def rules(draw: st.DrawFn) -> str:
    return draw(expressions(draw(st.sampled_from(TYPES))))


def by_row(
    steps: list[Computed], people: list[dict[str, Any]], withheld: list[frozenset[str]] | None = None
) -> list[tuple[Any, ...]]:
    program = compile_python(steps, list(VARIABLES), [step.name for step in steps])
    hidden = withheld or [frozenset[str]()] * len(people)
    return [
        program([person[name] for name in VARIABLES], NOW, SUBJECT, names, [])
        for person, names in zip(people, hidden, strict=True)
    ]


def by_table(
    steps: list[Computed], people: list[dict[str, Any]], withheld: list[frozenset[str]] | None = None
) -> list[tuple[Any, ...]]:
    names = [step.name for step in steps]
    program = compile_polars(steps, VARIABLES, names)
    answers = program(to_table(people, VARIABLES, SUBJECT, withheld), now=to_datetime(NOW))
    return list(zip(*(from_table(answers[step.name], step.type) for step in steps), strict=True))


@settings(max_examples=600)
@given(rules(), PEOPLE)
def test_polars_python_and_google_agree(rule: str, people: list[dict[str, Any]]) -> None:
    steps = [Computed("result", ENVIRONMENT.check(rule))]
    evaluate = ORACLE.compile(rule)
    expected = [(evaluate(person),) for person in people]
    assert repr(by_row(steps, people)) == repr(expected)
    assert repr(by_table(steps, people)) == repr(expected)


@settings(max_examples=200)
@given(rules(), PEOPLE)
def test_an_expression_alone_is_as_a_program(rule: str, people: list[dict[str, Any]]) -> None:
    checked = ENVIRONMENT.check(rule)
    frame = to_table(people, VARIABLES, SUBJECT).with_columns(
        pl.lit(to_datetime(NOW), pl.Datetime("us", "UTC")).alias("now")
    )
    answers = frame.with_columns(expression(checked.tree).alias("result"))["result"]
    steps = [Computed("result", checked)]
    assert repr(from_table(answers, checked.type)) == repr([answer for (answer,) in by_row(steps, people)])


@settings(max_examples=100)
@given(st.lists(rules(), min_size=2, max_size=8), PEOPLE)
def test_many_rules_in_one_program_are_as_each_alone(texts: list[str], people: list[dict[str, Any]]) -> None:
    steps = [Computed(f"r{index}", ENVIRONMENT.check(rule)) for index, rule in enumerate([*texts, *texts])]
    assert repr(by_table(steps, people)) == repr(by_row(steps, people))


@settings(max_examples=150)
@given(
    expressions(depth=3),
    expressions(depth=3),
    st.lists(st.tuples(subjects(), WITHHELD), min_size=1, max_size=6),
)
@example("p", "q", [(dict.fromkeys(VARIABLES), {"p"})])
def test_known_asks_for_visibility(
    first: str, second: str, drawn: list[tuple[dict[str, Any], set[str]]]
) -> None:
    text = f"({first} && known(a)) || (!known(p) && {second}) || (known(s) ? known(t) : {second})"
    withheld = [frozenset(names) for _, names in drawn]
    visible = [{n: None if n in names else v for n, v in person.items()} for person, names in drawn]
    steps = [Computed("result", ENVIRONMENT.check(text))]
    assert by_table(steps, visible, withheld) == by_row(steps, visible, withheld)


@settings(max_examples=100)
@given(expressions("int", depth=3), expressions("double", depth=3), expressions("string", depth=3), PEOPLE)
def test_steps_that_read_steps(number: str, share: str, text: str, people: list[dict[str, Any]]) -> None:
    environment = Environment({**VARIABLES, "d.number": "int", "d.share": "double", "d.text": "string"})
    chain = {
        "d.number": number,
        "d.share": f"({share}) / double(d.number)",
        "d.text": f"d.share > 1.0 ? {text} : string(d.number)",
        "segments.far": "d.share >= y || d.text == s || d.number + a > 3",
        "segments.both": "d.share != d.share && d.number / b == 1",
    }
    steps = [Computed(name, environment.check(rule)) for name, rule in chain.items()]
    assert repr(by_table(steps, people)) == repr(by_row(steps, people))
