"""Evaluates a rule node by node, without shortcuts, to explain its result.

This interpreter shares no code with the compilers but the scalar functions, so that it also checks them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from segserver.rules import own
from segserver.rules.check import NOW, Checked
from segserver.rules.functions import scalar_of
from segserver.rules.scalars import SCALARS
from segserver.rules.text import unparse
from segserver.rules.tree import Call, Comprehension, ListOf, Literal, Node, Variable, children, walk


@dataclass(frozen=True, slots=True)
class Trace:
    """One node of a rule with its value for one subject.

    ``value`` is in rule form, ``None`` when unknown (missing, withheld, or an error). ``text`` is the node in
    canonical CEL; ``line`` and ``column`` are its 1-based place in the rule. ``missing`` names the variables
    without a value that the node reads. ``parts`` are the nodes below; those inside a macro depend on its
    element and are not among them.
    """

    text: str
    line: int
    column: int
    type: str
    function: str
    """The CEL function of a call (``_&&_``, ``_<_``, ``contains``), the kind of a macro, else empty."""
    value: Any
    missing: frozenset[str]
    parts: tuple[Trace, ...]


def trace(
    checked: Checked,
    values: Mapping[str, Any],
    now: int,
    subject: str = "",
    withheld: frozenset[str] = frozenset(),
    origins: Mapping[str, frozenset[str]] | None = None,
) -> Trace:
    """The whole rule, every node evaluated. ``values`` are in rule form; an absent one is unknown.

    ``origins`` names, for a variable that is a trait or a segment, the inputs that it depends on: ``known()``
    asks whether one of them is withheld.
    """
    evaluator = _Evaluator(checked, {**values, NOW: now}, subject, withheld, origins or {})
    return evaluator.trace(checked.tree)


class _Evaluator:
    def __init__(
        self,
        checked: Checked,
        values: Mapping[str, Any],
        subject: str,
        withheld: frozenset[str],
        origins: Mapping[str, frozenset[str]],
    ) -> None:
        self._values = values
        self._reads = checked.reads
        self._subject = subject
        self._withheld = withheld
        self._origins = origins
        self._functions: dict[str, Callable[..., Any]] = {
            **SCALARS,
            **{overload: scalar_of(function) for overload, function in checked.functions.items()},
        }

    def trace(self, node: Node) -> Trace:
        """The node and all below it, but what a macro does to its elements."""
        below = (node.source,) if isinstance(node, Comprehension) else children(node)
        names = {part.name for part in walk(node) if isinstance(part, Variable)} & self._reads
        function = ""
        if isinstance(node, Call | Comprehension):
            function = node.function if isinstance(node, Call) else node.kind
        return Trace(
            unparse(node),
            node.line,
            node.column,
            node.type,
            function,
            self.evaluate(node, self._values),
            frozenset(name for name in names if self._values.get(name) is None),
            tuple(self.trace(part) for part in below),
        )

    def evaluate(self, node: Node, values: Mapping[str, Any]) -> Any:
        """The node's value in rule form, or ``None``."""
        match node:
            case Literal():
                return node.value
            case Variable():
                return values.get(node.name)
            case ListOf():
                items = tuple(self.evaluate(item, values) for item in node.items)
                return None if any(item is None for item in items) else items
            case Comprehension():
                return self._loop(node, values)
            case Call():
                return self._call(node, values)
        raise TypeError(type(node))

    def _call(self, node: Call, values: Mapping[str, Any]) -> Any:
        if node.overload == "known":
            return self._known(node.args[0])
        args = [self.evaluate(arg, values) for arg in node.args]
        match node.function:
            case "_&&_":
                return _all(args)
            case "_||_":
                return _any(args)
            case "!_":
                return None if args[0] is None else not args[0]
            case "_?_:_":
                return None if args[0] is None else args[1] if args[0] else args[2]
        if any(arg is None for arg in args):
            return None
        if node.overload == "type_is":
            return args[-1]
        if node.overload == "bucket":
            return own.bucket(args[0], self._subject)
        return self._functions[node.overload](*args)

    def _known(self, node: Node) -> bool | None:
        assert isinstance(node, Variable)  # noqa: S101 - the reader has seen to it
        if self._values.get(node.name) is not None:
            return True
        origins = self._origins.get(node.name, frozenset((node.name,)))
        return False if origins.isdisjoint(self._withheld) else None

    def _loop(self, node: Comprehension, values: Mapping[str, Any]) -> Any:
        source = self.evaluate(node.source, values)
        if source is None:
            return None
        scopes = [{**values, node.variable: item} for item in source]
        tests = [True if node.predicate is None else self.evaluate(node.predicate, scope) for scope in scopes]
        if node.kind == "exists":
            return _any(tests)
        if node.kind == "all":
            return _all(tests)
        if any(test is None for test in tests):
            return None
        if node.kind == "exists_one":
            return sum(tests) == 1
        kept = [scope for scope, test in zip(scopes, tests, strict=True) if test]
        if node.transform is None:
            return tuple(scope[node.variable] for scope in kept)
        items = tuple(self.evaluate(node.transform, scope) for scope in kept)
        return None if any(item is None for item in items) else items


def _all(values: list[Any]) -> bool | None:
    if any(value is False for value in values):
        return False
    return None if any(value is None for value in values) else True


def _any(values: list[Any]) -> bool | None:
    if any(value is True for value in values):
        return True
    return None if any(value is None for value in values) else False


def nodes(root: Trace) -> Iterator[Trace]:
    """The trace and everything below it, parents first."""
    yield root
    for part in root.parts:
        yield from nodes(part)
