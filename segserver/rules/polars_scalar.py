"""What has no exact Polars expression: the scalar form of a part of a rule, once for each distinct input.

Only what depends on the element of a comprehension goes there. Everything else below is cut out, compiled to
Polars, and handed in as a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from segserver.rules.check import Checked
from segserver.rules.functions import Function
from segserver.rules.polars_distinct import Scalar
from segserver.rules.program import Computed
from segserver.rules.python import compile_python
from segserver.rules.tree import Call, Comprehension, ListOf, Literal, Node, Variable, walk

_RESULT = "result"


def cut(node: Node) -> tuple[Node, dict[str, Node]]:
    """The node with variables for what doesn't depend on its own elements, and what each stands for."""
    bound = {part.variable for part in walk(node) if isinstance(part, Comprehension)}
    parts: dict[str, Node] = {}

    def variable(part: Node) -> Variable:
        name = part.name if isinstance(part, Variable) else f"part{len(parts)}"
        parts[name] = part
        return Variable(part.type, name, line=part.line, column=part.column)

    def visit(part: Node) -> Node:
        if isinstance(part, Literal) or (isinstance(part, Variable) and part.name in bound):
            return part
        if not any(isinstance(below, Variable) and below.name in bound for below in walk(part)):
            return variable(part)
        return _rebuilt(part, visit)

    return _rebuilt(node, visit), parts


def scalar_form(node: Node, names: tuple[str, ...], functions: Mapping[str, Function]) -> Scalar:
    """The node as a function of the values of the named variables, in rule form; ``None`` is unknown."""
    checked = Checked("", node.type, node, frozenset(names), functions)
    run = compile_python([Computed(_RESULT, checked)], names, [_RESULT]).run

    def scalar(*values: object) -> object:
        return run(values, 0, "", frozenset(), [])[0]

    return scalar


def _rebuilt(node: Node, visit: Callable[[Node], Node]) -> Node:
    match node:
        case Call():
            return replace(node, args=tuple(visit(arg) for arg in node.args))
        case ListOf():
            return replace(node, items=tuple(visit(item) for item in node.items))
        case Comprehension():
            return replace(
                node,
                source=visit(node.source),
                predicate=None if node.predicate is None else visit(node.predicate),
                transform=None if node.transform is None else visit(node.transform),
            )
        case _:
            return node
