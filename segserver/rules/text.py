"""Writes a tree as CEL, in one canonical form: single spaces, double quotes, only the brackets that are
needed.
"""

from __future__ import annotations

import json
import math
from typing import Any

from segserver.rules.builtins import BUILTINS
from segserver.rules.conversions import double_to_string
from segserver.rules.times import duration_text, timestamp_text
from segserver.rules.tree import Call, Comprehension, ListOf, Literal, Node, Variable, is_list

_BINARY = {
    "_||_": ("||", 2),
    "_&&_": ("&&", 3),
    **{f"_{sign}_": (sign, 4) for sign in ("<", "<=", ">", ">=", "==", "!=")},
    "@in": ("in", 4),
    "_+_": ("+", 5),
    "_-_": ("-", 5),
    "_*_": ("*", 6),
    "_/_": ("/", 6),
    "_%_": ("%", 6),
}
_CHOICE, _UNARY, _PRIMARY = 1, 7, 8


def unparse(node: Node) -> str:
    """The node as CEL that reads back as an equal tree."""
    return _write(node, 0)


def _write(node: Node, binding: int) -> str:
    """The node, in brackets when it binds less tightly than ``binding``."""
    text, own = _bare(node)
    return text if own >= binding else f"({text})"


def _bare(node: Node) -> tuple[str, int]:
    match node:
        case Literal():
            text = _literal(node.value, node.type)
            return text, _UNARY if text.startswith("-") else _PRIMARY
        case Variable():
            return node.name, _PRIMARY
        case ListOf():
            return f"[{', '.join(_write(item, 0) for item in node.items)}]", _PRIMARY
        case Comprehension():
            parts = [part for part in (node.predicate, node.transform) if part is not None]
            inside = ", ".join([node.variable, *(_write(part, 0) for part in parts)])
            return f"{_write(node.source, _PRIMARY)}.{node.kind}({inside})", _PRIMARY
        case Call():
            return _call(node)
    raise TypeError(type(node))


def _call(node: Call) -> tuple[str, int]:
    if node.function in _BINARY:
        sign, binding = _BINARY[node.function]
        first, *rest = node.args
        parts = [_write(first, binding), *(_write(arg, binding + 1) for arg in rest)]
        return f" {sign} ".join(parts), binding
    if node.function in ("!_", "-_"):
        return f"{node.function[0]}{_write(node.args[0], _PRIMARY)}", _UNARY
    if node.function == "_?_:_":
        test, yes, no = node.args
        return f"{_write(test, 2)} ? {_write(yes, 2)} : {_write(no, _CHOICE)}", _CHOICE
    if node.function == "_[_]":
        return f"{_write(node.args[0], _PRIMARY)}[{_write(node.args[1], 0)}]", _PRIMARY
    if node.function == "type_is":
        return _type_is(node)
    signature = BUILTINS.get(node.overload)
    if signature is not None and signature.member:
        target, *rest = node.args
        arguments = ", ".join(_write(arg, 0) for arg in rest)
        return f"{_write(target, _PRIMARY)}.{node.function}({arguments})", _PRIMARY
    return f"{node.function}({', '.join(_write(arg, 0) for arg in node.args)})", _PRIMARY


def _type_is(node: Call) -> tuple[str, int]:
    """A comparison of types that has the same answer, and needs the same operands to be known."""
    *operands, answer = node.args
    erased = {"list" if is_list(operand.type) else operand.type for operand in operands}
    sign = "==" if isinstance(answer, Literal) and answer.value == (len(erased) == 1) else "!="
    types = [f"type({_write(operand, 0)})" for operand in operands]
    return f"{types[0]} {sign} {types[-1]}", 4


def _literal(value: Any, type_name: str) -> str:
    if type_name == "bool":
        return "true" if value else "false"
    if type_name == "string":
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\x7f")
    if type_name == "timestamp":
        return f'timestamp("{timestamp_text(value)}")'
    if type_name == "duration":
        return f'duration("{duration_text(value)}")'
    if type_name == "double":
        if not math.isfinite(value):
            return f'double("{double_to_string(value)}")'
        return double_text(value)
    return str(value)


def double_text(value: float) -> str:
    """A double as a rule writes it, so that it is not taken for an int."""
    text = double_to_string(value)
    return text if "." in text or "e" in text or not math.isfinite(value) else f"{text}.0"
