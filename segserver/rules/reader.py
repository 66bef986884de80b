"""From Google's checked expression to our tree: types inferred, macros recovered, the unsupported refused by
name.
"""

from __future__ import annotations

import difflib
import json
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from segserver.errors import RuleError
from segserver.rules.builtins import BY_NAME
from segserver.rules.calendar import zone
from segserver.rules.folding import fold
from segserver.rules.functions import Function
from segserver.rules.signatures import unify
from segserver.rules.strings import regex_error
from segserver.rules.tree import (
    EMPTY_LIST,
    LISTS,
    Call,
    Comprehension,
    ListOf,
    Literal,
    Macro,
    Node,
    Variable,
    element,
    is_list,
    list_of,
    list_variable,
    refuse,
)
from segserver.rules.v1 import checked_pb2

_Expr: TypeAlias = checked_pb2.Expr
_Place: TypeAlias = tuple[int, int]

_TYPE_VALUES = {
    "bool": "bool",
    "int": "int",
    "double": "double",
    "string": "string",
    "list": "list",
    "google.protobuf.Timestamp": "timestamp",
    "google.protobuf.Duration": "duration",
    **{name: name for name in ("uint", "bytes", "map", "null_type", "type")},
}
_HAS = re.compile(r"(?<![\w.])has\s*\Z")
"""``has(a.b)`` arrives as ``a.b``, at the place of the bracket, where ``a.b`` is one variable."""
_LOGIC = ("_&&_", "_||_")


@dataclass(frozen=True, slots=True)
class _TypeValue:
    """A type as a value: what ``type(x)`` or ``int`` gives. ``node`` is the ``x`` that must be known for
    it.
    """

    name: str
    node: Node | None


class Reader:
    """Reads one checked expression."""

    def __init__(
        self,
        checked: checked_pb2.CheckedExpr,
        text: str,
        variables: Mapping[str, str],
        functions: Mapping[str, Function],
    ) -> None:
        self._root = checked.expr
        self._references = checked.reference_map
        self._positions = checked.source_info.positions
        self._line_starts = [0, *checked.source_info.line_offsets]
        self._text = text
        self._variables = variables
        self._functions = {f.parsed().name: (overload, f.parsed()) for overload, f in functions.items()}
        self._taken = set(variables)

    def read_root(self) -> Node:
        """The whole tree; raises :class:`~segserver.errors.RuleError` at the first construct that isn't
        supported.
        """
        return self._node(self._root, {})

    def _node(self, expr: _Expr, scope: Mapping[str, Variable]) -> Node:
        result = self._any(expr, scope)
        if isinstance(result, _TypeValue):
            raise self._refused(expr, "a type is only supported in a comparison, such as type(x) == int")
        return result

    def _any(self, expr: _Expr, scope: Mapping[str, Variable]) -> Node | _TypeValue:
        match expr.WhichOneof("expr_kind"):
            case "const_expr":
                return self._constant(expr)
            case "ident_expr":
                return self._name(expr, expr.ident_expr.name, scope)
            case "select_expr":
                return self._select(expr, scope)
            case "call_expr":
                return self._call(expr, scope)
            case "list_expr":
                return self._list(expr, scope)
            case "comprehension_expr":
                return self._comprehension(expr, scope)
            case "struct_expr":
                raise self._refused(expr, "maps and messages are not supported")
            case _:
                raise self._refused(expr, "this construct is not supported")

    def _constant(self, expr: _Expr) -> Node:
        constant = expr.const_expr
        line, column = self._place(expr)
        match constant.WhichOneof("constant_kind"):
            case "bool_value":
                return Literal("bool", constant.bool_value, line=line, column=column)
            case "int64_value":
                return Literal("int", constant.int64_value, line=line, column=column)
            case "double_value":
                return Literal("double", constant.double_value, line=line, column=column)
            case "string_value":
                return Literal("string", constant.string_value, line=line, column=column)
            case "null_value":
                raise self._refused(expr, "null is not supported; known(x) says whether x has a value")
            case "uint64_value":
                raise self._refused(expr, "unsigned integers are not supported; write the number without u")
            case _:
                raise self._refused(expr, "bytes are not supported")

    def _name(self, expr: _Expr, name: str, scope: Mapping[str, Variable]) -> Node | _TypeValue:
        line, column = self._place(expr)
        offset = self._positions.get(expr.id, 0)
        if self._text[offset : offset + 1] == "(" and _HAS.search(self._text[max(0, offset - 20) : offset]):
            raise self._refused(expr, "has() is not supported; known(x) says whether x has a value")
        if not name.startswith(".") and name in scope:
            bound = scope[name]
            return Variable(bound.type, bound.name, line=line, column=column)
        name = self._references[expr.id].name if expr.id in self._references else name
        name = name.removeprefix(".")
        if name in self._variables:
            return Variable(self._variables[name], name, line=line, column=column)
        if name in _TYPE_VALUES:
            return _TypeValue(_TYPE_VALUES[name], None)
        raise self._refused(expr, f"{name} is not supported")

    def _select(self, expr: _Expr, scope: Mapping[str, Variable]) -> Node | _TypeValue:
        if expr.select_expr.test_only:
            raise self._refused(expr, "has() is not supported; known(x) says whether x has a value")
        if expr.id in self._references:
            return self._name(expr, "." + self._references[expr.id].name, scope)
        raise self._refused(expr, "fields are not supported")

    def _list(self, expr: _Expr, scope: Mapping[str, Variable]) -> Node:
        line, column = self._place(expr)
        if expr.list_expr.optional_indices:
            raise self._refused(expr, "optional elements are not supported")
        items = tuple(self._node(item, scope) for item in expr.list_expr.elements)
        common: str | None = items[0].type if items else None
        for item in items[1:]:
            common = unify(common or "", item.type)
            if common is None:
                raise self._refused(
                    expr, f"the elements of a list must have one type; found {items[0].type} and {item.type}"
                )
        return ListOf(EMPTY_LIST if common is None else list_of(common), items, line=line, column=column)

    def _call(self, expr: _Expr, scope: Mapping[str, Variable]) -> Node | _TypeValue:
        call = expr.call_expr
        line, column = self._place(expr)
        member = call.HasField("target")
        exprs = [call.target, *call.args] if member else list(call.args)
        args = [self._any(arg, scope) for arg in exprs]
        if call.function == "type":
            node = self._only_node(args[0], expr)
            erased = "list" if is_list(node.type) else node.type
            return _TypeValue(erased, node)
        if call.function in ("_==_", "_!=_") and any(isinstance(arg, _TypeValue) for arg in args):
            return self._same_type(expr, args)
        nodes = tuple(self._only_node(arg, expr) for arg in args)
        if call.function == "dyn":
            return nodes[0]
        if call.function in _LOGIC:
            nodes = _flatten(call.function, nodes)
        if call.function == "_[_]" and nodes[0].type == EMPTY_LIST:
            raise self._refused(expr, "an empty list has no elements")
        if call.function == "in_list" and not member:
            return self._in_list(expr, nodes)
        overload, result = self._resolve(expr, call.function, member, nodes)
        self._check_arguments(expr, overload, nodes, scope)
        return fold(Call(result, call.function, overload, nodes, line=line, column=column), self._text)

    def _in_list(self, expr: _Expr, nodes: tuple[Node, ...]) -> Variable:
        """``in_list("vip-2026")`` is a variable: whether the subject is in that list is known before a rule
        runs.
        """
        (name,) = nodes
        if not isinstance(name, Literal):
            raise self._refused(expr, 'in_list takes the name of a list as text, such as in_list("vip-2026")')
        variable = list_variable(str(name.value))
        if variable not in self._variables:
            known = sorted(name for name in self._variables if name.startswith(LISTS))
            alike = difflib.get_close_matches(variable, known, n=3)
            near = ", ".join(match.removeprefix(LISTS).replace("_", "-") for match in alike)
            hint = f"; did you mean {near}?" if near else "; declare it under lists"
            raise self._refused(expr, f"there is no list {name.value}{hint}")
        line, column = self._place(expr)
        return Variable("bool", variable, line=line, column=column)

    def _resolve(self, expr: _Expr, function: str, member: bool, nodes: tuple[Node, ...]) -> tuple[str, str]:
        if function in self._functions and not member:
            overload, signature = self._functions[function]
            return overload, signature.result
        types = [node.type for node in nodes]
        shown = ", ".join(types)
        if function in _LOGIC and set(types) == {"bool"}:
            types = types[:2]
        for overload, signature in BY_NAME.get(function, ()):
            if signature.member == member:
                result = signature.apply(types)
                if result is not None:
                    return overload, result
        raise self._refused(expr, f"{function} is not supported for ({shown})")

    def _check_arguments(
        self, expr: _Expr, overload: str, nodes: tuple[Node, ...], scope: Mapping[str, Variable]
    ) -> None:
        last = nodes[-1].value if isinstance(nodes[-1], Literal) else None
        if overload in ("matches", "matches_string") and last is not None and (wrong := regex_error(last)):
            raise self._refused(expr, f"invalid regular expression: {wrong}")
        if overload.endswith("_with_tz") and last is not None and zone(last) is None:
            raise self._refused(expr, f"{json.dumps(last)} is not a time zone")
        if overload == "known":
            bound = {variable.name for variable in scope.values()}
            if not isinstance(nodes[0], Variable) or nodes[0].name in bound:
                raise self._refused(expr, "known() takes the name of an attribute, trait or segment")
        if overload == "bucket" and not isinstance(nodes[0], Literal):
            raise self._refused(expr, 'bucket() takes a literal text, such as bucket("experiment-1")')

    def _same_type(self, expr: _Expr, args: list[Node | _TypeValue]) -> Node:
        line, column = self._place(expr)
        names = set()
        nodes = []
        for arg in args:
            if not isinstance(arg, _TypeValue):
                raise self._refused(expr, "a type can only be compared with a type")
            names.add(arg.name)
            if arg.node is not None and not isinstance(arg.node, Literal) and arg.node not in nodes:
                nodes.append(arg.node)
        equal = (len(names) == 1) == (expr.call_expr.function == "_==_")
        answer = Literal("bool", equal, line=line, column=column)
        if not nodes:
            return answer
        return Call("bool", "type_is", "type_is", (*nodes, answer), line=line, column=column)

    def _comprehension(self, expr: _Expr, scope: Mapping[str, Variable]) -> Node:
        loop = expr.comprehension_expr
        line, column = self._place(expr)
        if loop.iter_var2:
            raise self._refused(expr, "macros with two variables are not supported")
        source = self._node(loop.iter_range, scope)
        if not is_list(source.type):
            raise self._refused(expr, "a macro needs a list")
        if source.type == EMPTY_LIST:
            raise self._refused(expr, "a macro over [] is not supported: its elements have no type")
        name = self._fresh(loop.iter_var)
        inner = {**scope, loop.iter_var: Variable(element(source.type), name)}
        kind, predicate_expr, transform_expr = self._macro(expr)
        predicate = None if predicate_expr is None else self._node(predicate_expr, inner)
        transform = None if transform_expr is None else self._node(transform_expr, inner)
        if predicate is not None and predicate.type != "bool":
            raise self._refused(expr, f"the condition of {kind} must be bool, not {predicate.type}")
        result = "bool"
        if kind == "filter":
            result = source.type
        elif transform is not None:
            result = list_of(transform.type)
        return Comprehension(result, kind, source, name, predicate, transform, line=line, column=column)

    def _macro(self, expr: _Expr) -> tuple[Macro, _Expr | None, _Expr | None]:
        """Which macro the loop was, with its condition and its transformation, by the form of the step."""
        loop = expr.comprehension_expr
        step = loop.loop_step.call_expr
        if step.function == "_||_" and loop.accu_init.const_expr.WhichOneof("constant_kind") == "bool_value":
            return "exists", step.args[1], None
        if step.function == "_&&_":
            return "all", step.args[1], None
        if step.function == "_?_:_":
            grown = step.args[1].call_expr
            if loop.accu_init.WhichOneof("expr_kind") == "const_expr":
                return "exists_one", step.args[0], None
            item = grown.args[1].list_expr.elements[0]
            if item.ident_expr.name == loop.iter_var:  # map(x, p, x) is the same loop, and means the same
                return "filter", step.args[0], None
            return "map", step.args[0], item
        if step.function == "_+_":
            return "map", None, step.args[1].list_expr.elements[0]
        raise self._refused(expr, "this macro is not supported")

    def _fresh(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}_{number}", number + 1
        self._taken.add(name)
        return name

    def _only_node(self, arg: Node | _TypeValue, expr: _Expr) -> Node:
        if isinstance(arg, _TypeValue):
            raise self._refused(expr, "a type is only supported in a comparison, such as type(x) == int")
        return arg

    def _place(self, expr: _Expr) -> _Place:
        offset = self._positions.get(expr.id, 0)
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def _refused(self, expr: _Expr, message: str) -> RuleError:
        line, column = self._place(expr)
        return refuse(self._text, message, line, column)


def _flatten(function: str, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    flat: list[Node] = []
    for node in nodes:
        flat.extend(node.args if isinstance(node, Call) and node.function == function else (node,))
    return tuple(flat)
