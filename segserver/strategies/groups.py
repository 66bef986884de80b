"""Exclusive groups, compiled into rules: a subject is in the first segment, by priority, whose rule holds.

The k-th member of a group means ``rule_k && !rule_1 && … && !rule_{k-1}``. Written out, that grows with the
square of the group, so that every few members a step of its own gathers ``rule_1 || …`` of those before: by
three-valued logic, ``!(a || b)`` is ``!a && !b``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segserver.rules import Checked
from segserver.rules.tree import Call, Node, Variable, walk

Step = tuple[str, Checked]

AHEAD_MAX = 16
"""So many rules are negated one by one; more steps in a row would cost a table more than they save."""

_RULE, _ANY = "_rule.", "_any."


def steps(members: Sequence[tuple[str, Checked]]) -> Iterator[Step]:
    """The steps (name, meaning) of a group whose members (segment variable, own rule) come first priority
    first.

    The names of steps between begin with ``_``, which no name in a rule does. A member's own rule is always a
    step of its own, so that what the members after it depend on is the rule, and not the purposes that the
    member serves.
    """
    ahead: list[Node] = []
    for variable, rule in members:
        own = _variable(own_rule(variable))
        if len(ahead) == AHEAD_MAX:
            yield f"{_ANY}{variable}", _checked(_call("_||_", *ahead))
            ahead = [_variable(f"{_ANY}{variable}")]
        yield own.name, rule
        yield variable, _checked(_call("_&&_", own, *map(_not, ahead)) if ahead else own)
        ahead.append(own)


def own_rule(variable: str) -> str:
    """The step that holds the own rule of a member of a group."""
    return f"{_RULE}{variable}"


def segment_of(step: str) -> str:
    """The segment variable that a step belongs to: itself, but for the steps between."""
    return step.removeprefix(_RULE).removeprefix(_ANY)


def _variable(name: str) -> Variable:
    return Variable("bool", name=name)


def _not(node: Node) -> Node:
    return Call("bool", function="!_", overload="logical_not", args=(node,))


def _call(operator: str, *args: Node) -> Node:
    overload = {"_&&_": "logical_and", "_||_": "logical_or"}[operator]
    return Call("bool", function=operator, overload=overload, args=args)


def _checked(tree: Node) -> Checked:
    reads = frozenset(node.name for node in walk(tree) if isinstance(node, Variable))
    return Checked("", "bool", tree, reads, {})
