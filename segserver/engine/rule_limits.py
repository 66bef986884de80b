"""How deep a rule may be nested here, and how long its regular expressions may be."""

from __future__ import annotations

from collections.abc import Iterator

from segserver.catalog import Catalog
from segserver.config import Limits
from segserver.errors import CatalogError, Problem, RuleError
from segserver.rules import Checked
from segserver.rules.tree import Call, Literal, Node, children, refuse

_REGEX = frozenset({"matches", "matches_string"})


def check_rule(checked: Checked, limits: Limits) -> None:
    """Raises :class:`RuleError` at the first part of a rule that is over a limit."""
    if len(checked.expression) > limits.rule_characters_max:
        most = limits.rule_characters_max
        raise RuleError(f"1:1: the rule has more than {most} characters (limits.rule_characters_max)")
    for node, depth in _levels(checked.tree):
        if depth > limits.rule_depth_max:
            what = f"the rule is nested more than {limits.rule_depth_max} deep (limits.rule_depth_max)"
        elif _regex_characters(node) > limits.regex_characters_max:
            most = limits.regex_characters_max
            what = f"the regular expression has more than {most} characters (limits.regex_characters_max)"
        else:
            continue
        raise refuse(checked.expression, what, node.line, node.column)


def check_catalog(catalog: Catalog, limits: Limits) -> None:
    """The same for a catalog's own segments; strategies are the operator's. Raises :class:`CatalogError` with
    every one that is over a limit.
    """
    problems = []
    for segment in catalog.segments.values():
        if segment.strategy:
            continue
        try:
            check_rule(segment.checked, limits)
        except RuleError as error:
            problems.append(Problem(error.message, field=segment.id))
    if problems:
        raise CatalogError(problems)


def _levels(root: Node) -> Iterator[tuple[Node, int]]:
    """Every node with its depth, from 1."""
    waiting = [(root, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += ((child, depth + 1) for child in children(node))


def _regex_characters(node: Node) -> int:
    if isinstance(node, Call) and node.overload in _REGEX:
        pattern = node.args[-1]
        if isinstance(pattern, Literal):
            return len(str(pattern.value))
    return 0
