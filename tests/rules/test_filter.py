"""A condition over columns fulfils what the rule, one subject at a time, says is true."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rule_generators import VARIABLES, expressions, subjects

from segserver.errors import RuleError
from segserver.rules import Computed, Environment, compile_python
from segserver.rules.filter import compile_filter
from segserver.rules.tree import Call, Variable, walk

ENVIRONMENT = Environment(VARIABLES)


@given(text=expressions("bool"), rows=st.lists(subjects(), max_size=4))
@settings(max_examples=200)
def test_a_filter_gives_what_the_rule_gives(text: str, rows: list[dict[str, Any]]) -> None:
    try:
        checked = ENVIRONMENT.check(text, "bool")
    except RuleError:
        return
    if any(
        (isinstance(node, Variable) and node.name == "now")
        or (isinstance(node, Call) and node.function == "bucket")
        for node in walk(checked.tree)
    ):
        return
    reads = sorted(checked.reads) or ["p"]
    single = compile_python([Computed("result", checked)], reads, ["result"])
    given_rows = [[row.get(name) for name in reads] for row in rows]
    expected = bytes(single(row, 0, "", frozenset(), [])[0] is True for row in given_rows)
    columns = [[row[index] for row in given_rows] for index in range(len(reads))]
    assert compile_filter(checked, checked.tree, reads)(*columns) == expected


def test_variables_that_are_always_there_are_not_asked_for() -> None:
    checked = ENVIRONMENT.check("a > 1 && known(a)", "bool")
    assert compile_filter(checked, checked.tree, ["a"], always=["a"])([1, 2, 3]) == b"\0\1\1"
