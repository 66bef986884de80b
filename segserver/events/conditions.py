"""Conditions on events: CEL over ``event.<property>`` and ``event.time``, evaluated for a whole chunk.

A condition is taken apart at ``&&`` and ``||``: an event fulfils ``a && b`` when it fulfils both, whatever
else is unknown. What is left reads one property as a rule, and is asked once for each different value of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from segserver.events.columns import Coded, Column, Numbers, packed
from segserver.events.definitions import TIME, Event
from segserver.events.history import Chunk
from segserver.model import TypeName
from segserver.rules import Checked, Environment, Function
from segserver.rules.check import NOW
from segserver.rules.cost import measure
from segserver.rules.filter import Filter, compile_filter
from segserver.rules.text import unparse
from segserver.rules.tree import Call, Node, Variable, refuse, walk

PREFIX = "event."


class Opened:
    """A chunk that is asked about: its columns by property, and the answers to conditions so far."""

    __slots__ = ("_columns", "chunk", "masks")

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.masks: dict[object, bytes | None] = {}
        self._columns: dict[tuple[str, TypeName], Column | None] = {}

    def column(self, name: str, type_name: TypeName) -> Column | None:
        """The values of a property: :class:`Numbers` for an int, a double or a timestamp, else
        :class:`Coded`; ``None`` when no event has one of that type."""
        key = (name, type_name)
        if key not in self._columns:
            self._columns[key] = self._typed(name, type_name)
        return self._columns[key]

    def _typed(self, name: str, type_name: TypeName) -> Column | None:
        if name == TIME:
            return Numbers("q", self.chunk.times, None)
        given = self.chunk.columns.get(name)
        if given is None:
            return None
        column = packed(given)
        wanted = _FORMS[type_name]
        if isinstance(column, Numbers):
            return column if column.code in _CODES.get(type_name, "") else None
        if any(type(value) is wanted for value in column.values):
            kept = [value if type(value) is wanted else None for value in column.values]
            return (
                Coded(column.codes, kept) if type_name not in _CODES else packed([*Coded(column.codes, kept)])
            )
        return None


_FORMS: dict[str, type] = {"bool": bool, "int": int, "timestamp": int, "double": float, "string": str}
_CODES = {"int": "q", "timestamp": "q", "double": "dm"}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part of a condition without ``&&`` and ``||`` at its top."""

    reads: tuple[tuple[str, TypeName], ...]
    fulfilled: Filter

    def mask(self, opened: Opened) -> bytes:
        """A byte for each event: 1 where it holds."""
        count = len(opened.chunk)
        if len(self.reads) > 1:
            columns = [opened.column(*read) for read in self.reads]
            return self.fulfilled(*([None] * count if column is None else column for column in columns))
        column = opened.column(*self.reads[0])
        if column is None:
            return self.fulfilled((None,)) * count
        if isinstance(column, Coded):
            return column.where(self.fulfilled(column.values))
        return self.fulfilled(column)


@dataclass(frozen=True, slots=True)
class Joint:
    """``&&`` or ``||`` of several parts."""

    every: bool
    parts: tuple[Leaf | Joint, ...]

    def mask(self, opened: Opened) -> bytes:
        """A byte for each event: 1 where it holds."""
        first, *others = [part.mask(opened) for part in self.parts]
        for other in others:
            first = both(first, other) if self.every else _either(first, other)
        return first


Part: TypeAlias = Leaf | Joint


def both(first: bytes, second: bytes) -> bytes:
    """Where both masks are 1."""
    return (int.from_bytes(first, "little") & int.from_bytes(second, "little")).to_bytes(len(first), "little")


def _either(first: bytes, second: bytes) -> bytes:
    return (int.from_bytes(first, "little") | int.from_bytes(second, "little")).to_bytes(len(first), "little")


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition. ``text`` is equal for two that mean the same; it has the types of what they read
    in it. ``reads`` are properties; ``event.time`` is none."""

    text: str
    checked: Checked
    root: Part
    reads: frozenset[str]


def environment(event: Event, functions: Sequence[Function]) -> Environment:
    """The variables that conditions on an event may read."""
    types: dict[str, TypeName] = {PREFIX + name: given.type for name, given in event.properties.items()}
    return Environment(types | {PREFIX + TIME: "timestamp"}, functions)


def compile_condition(expression: str, scope: Environment) -> Condition:
    """The condition; raises :class:`RuleError` with CEL's line and column."""
    checked = scope.check(expression, "bool")
    for node in walk(checked.tree):
        wrong = ""
        if isinstance(node, Variable) and node.name == NOW:
            wrong = "a condition on events can't read now; the window says when"
        if isinstance(node, Call) and node.overload == "bucket":
            wrong = "a condition on events can't call bucket()"
        if wrong:
            raise refuse(expression, wrong, node.line, node.column)
    measure(checked, {})
    reads = frozenset(name.removeprefix(PREFIX) for name in checked.reads) - {TIME}
    types = ", ".join(f"{name} {scope.variables[PREFIX + name]}" for name in sorted(reads))
    text = f"{unparse(checked.tree)} // {types}"
    return Condition(text, checked, _part(checked, checked.tree, scope.variables), reads)


def _part(checked: Checked, node: Node, types: Mapping[str, TypeName]) -> Part:
    if isinstance(node, Call) and node.function in ("_&&_", "_||_"):
        parts = tuple(_part(checked, arg, types) for arg in node.args)
        return Joint(node.function == "_&&_", parts)
    found = {below.name for below in walk(node) if isinstance(below, Variable) and below.name in types}
    names = sorted(found) or [PREFIX + TIME]
    filtered = compile_filter(checked, node, names, always=[PREFIX + TIME])
    return Leaf(tuple((name.removeprefix(PREFIX), types[name]) for name in names), filtered)
