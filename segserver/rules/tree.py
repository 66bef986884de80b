"""The checked tree of a rule, which both compilers and the trace read.

Every node carries its type (``bool int double string timestamp duration list(<element>)``) and its place in
the text. Two nodes are equal when they mean the same; their places don't count. The tree is in *rule form*: a
timestamp is an int of microseconds since 1970 in UTC, a duration an int of microseconds, a list a tuple, an
unknown ``None``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from typing import Literal as Choice

from segserver.errors import RuleError

EMPTY_LIST = "list(dyn)"
"""The type of ``[]`` where nothing says what its elements would be."""

Macro: TypeAlias = Choice["exists", "exists_one", "all", "map", "filter"]


@dataclass(frozen=True, slots=True)
class Node:
    """What every node has: its type, and its 1-based place in the rule's text."""

    type: str
    line: int = field(default=1, compare=False, kw_only=True)
    column: int = field(default=1, compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant in rule form."""

    value: Any


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """An attribute, a trait, a segment, ``now``, or the element of a comprehension around it.

    An element's name is unique in its tree and never that of a variable of the environment.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function, method or operator; a method's target is the first argument.

    ``_&&_`` and ``_||_`` are flat: they have two arguments or more, none of which is a call of the same
    operator. ``_?_:_`` has three. ``type_is`` has no CEL name: it is its last argument, a bool literal, when
    all others are known (``type(x) == int`` becomes that).
    """

    function: str
    overload: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    """A list in square brackets, whose elements have one type."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Comprehension(Node):
    """A macro over a list: ``source.kind(variable, predicate)`` or ``source.map(variable, [predicate,]
    transform)``.

    ``predicate`` is ``None`` only for ``map`` with two arguments; ``transform`` is ``None`` for all but
    ``map``.
    """

    kind: Macro
    source: Node
    variable: str
    predicate: Node | None
    transform: Node | None


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, in the order of the text."""
    match node:
        case Call():
            return node.args
        case ListOf():
            return node.items
        case Comprehension():
            parts = (node.source, node.predicate, node.transform)
            return tuple(part for part in parts if part is not None)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


def is_list(type_name: str) -> bool:
    """Whether the type is a list."""
    return type_name.startswith("list(")


def element(type_name: str) -> str:
    """The type of a list's elements."""
    return type_name[5:-1]


def list_of(type_name: str) -> str:
    """The type of a list of such elements."""
    return f"list({type_name})"


def refuse(text: str, message: str, line: int, column: int) -> RuleError:
    """An error at a place of the rule's text, with the line and a caret under the place."""
    lines = text.split("\n")
    shown = lines[line - 1] if 0 < line <= len(lines) else ""
    excerpt = f" | {shown}\n | {'.' * (column - 1)}^"
    return RuleError(f"{line}:{column}: {message}\n{excerpt}", line=line, column=column, excerpt=excerpt)


LISTS = "lists."


def list_variable(name: str) -> str:
    """Of an uploaded list, the variable that says whether a subject is in it: ``lists.vip_2026``."""
    return LISTS + name.replace("/", ".").replace("-", "_")
