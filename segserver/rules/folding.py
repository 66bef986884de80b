"""Computes calls of literals once, when a rule is read."""

from __future__ import annotations

from typing import Any

from segserver.rules.scalars import SCALARS
from segserver.rules.text import unparse
from segserver.rules.times import is_too_fine
from segserver.rules.tree import Call, ListOf, Literal, Node, element, refuse

CONVERSIONS = {
    "string_to_timestamp": 'write a time that exists, such as "2026-03-01T00:00:00Z"',
    "int64_to_timestamp": "write seconds since 1970 in the years 1 to 9999",
    "string_to_duration": 'write a duration in hours, minutes and seconds, such as "36h" or "1h30m"',
    "string_to_int64": "write a whole number of at most 64 bits",
    "double_to_int64": "write a number of at most 64 bits",
    "string_to_double": "write a number",
    "string_to_bool": "write true or false",
}
"""Conversions that can fail, with what they take."""

SHOWN_MAX = 60
"""Characters of a refused conversion."""


def fold(call: Call, text: str) -> Node:
    """A literal in place of a call whose arguments are literals and that has a value; else the call.

    An error (``1 / 0``) stays a call, and is unknown at evaluation. Raises
    :class:`~segserver.errors.RuleError` for a literal time finer than a microsecond, which could not be kept
    exactly, and for a conversion that has no value: it would make every answer unknown.
    """
    scalar = SCALARS.get(call.overload)
    if scalar is None or not all(isinstance(arg, Literal) for arg in call.args):
        return call
    values = [arg.value for arg in call.args if isinstance(arg, Literal)]
    if call.overload in ("string_to_timestamp", "string_to_duration") and is_too_fine(values[0]):
        raise refuse(text, "times finer than a microsecond are not supported", call.line, call.column)
    value = scalar(*values)
    if value is None and call.overload in CONVERSIONS:
        shown = unparse(call)
        shown = shown if len(shown) <= SHOWN_MAX else f"{shown[:SHOWN_MAX]}…"
        raise refuse(text, f"{shown} has no value; {CONVERSIONS[call.overload]}", call.line, call.column)
    if value is None or value != value:  # an error, or NaN, which would be unequal to itself in the tree
        return call
    if isinstance(value, tuple):
        return _list(call, value)
    return Literal(call.type, value, line=call.line, column=call.column)


def _list(call: Call, items: tuple[Any, ...]) -> Node:
    """A list of literals; an empty one stays a call, because ``[]`` alone would not say of what."""
    if not items:
        return call
    kind = element(call.type)
    literals = tuple(Literal(kind, item, line=call.line, column=call.column) for item in items)
    return ListOf(call.type, literals, line=call.line, column=call.column)
