"""Strategies and rules under Google's own evaluator: slow, and nobody's opinion but CEL's."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

from segserver.strategies.api import Segment
from segserver.strategies.contract import ResolvedStrategy

NOW = dt.datetime(2025, 6, 15, 12, tzinfo=dt.UTC)

TYPES = {
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "double": cel.Type.DOUBLE,
    "string": cel.Type.STRING,
    "timestamp": cel.Type.TIMESTAMP,
    "list(string)": cel.Type.List(cel.Type.STRING),
}


class Rules:
    """An environment of typed variables; every expression is compiled and type-checked once."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        known = cel.FunctionDecl("known", [cel.Overload("known", cel.Type.BOOL, [cel.Type.DYN], False)])
        self._environment = cel.NewEnv(
            variables={name: TYPES[type_name] for name, type_name in variables.items()},
            extensions=[ext_strings.ExtStrings()],
            functions=[known],
        )
        self._variables = tuple(variables)
        self._compiled: dict[str, tuple[cel.Expression, tuple[str, ...]]] = {}
        self._values: dict[object, Any] = {}

    def check(self, expression: str, type_name: str) -> None:
        """Fails unless the expression compiles and has the type."""
        found = self._compile(expression)[0].return_type().name()
        assert found == TYPES[type_name].name(), f"{expression} is {found}"

    def value(self, expression: str, data: Mapping[str, Any]) -> Any:
        """The value, or None when CEL ends in an error, a missing variable among them.

        Values are remembered by what the expression reads: a population repeats itself, and each call costs
        about a tenth of a millisecond.
        """
        # Google's evaluator has no known(); it is decided here, as the host would.
        decided = re.sub(r"known\((\w+)\)", lambda match: "true" if match[1] in data else "false", expression)
        compiled, reads = self._compile(decided)
        known = {name: data[name] for name in reads if name in data}
        key = (decided, *((name, repr(value)) for name, value in known.items()))
        if key not in self._values:
            value = compiled.eval(data=known)
            self._values[key] = None if value.type() == cel.Type.ERROR else value.plain_value()
        return self._values[key]

    def _compile(self, expression: str) -> tuple[cel.Expression, tuple[str, ...]]:
        if expression not in self._compiled:
            named = (name for name in self._variables if re.search(rf"(?<![\w.]){name}(?!\w)", expression))
            self._compiled[expression] = (self._environment.compile(expression), tuple(named))
        return self._compiled[expression]


class Oracle:
    """Strategies of CEL traits, more attributes and more segments; making it checks every rule."""

    def __init__(
        self,
        strategies: Sequence[ResolvedStrategy],
        attributes: Mapping[str, str] | None = None,
        segments: Sequence[Segment] = (),
    ) -> None:
        self.traits = [(f"{each.name}.{trait.name}", trait) for each in strategies for trait in each.traits]
        self.segments = [segment for each in strategies for segment in each.segments] + list(segments)
        self.attributes = dict(attributes or {})
        for each in strategies:
            self.attributes |= {attribute.name: attribute.type for attribute in each.strategy.attributes}
        self._rules = Rules(
            self.attributes
            | {name: trait.type for name, trait in self.traits}
            | {variable(segment.id): "bool" for segment in self.segments}
            | {"now": "timestamp"}
        )
        for _, trait in self.traits:
            self._rules.check(trait.rule, trait.type)
        for segment in self.segments:
            self._rules.check(segment.rule, "bool")

    def evaluate(self, attributes: Mapping[str, Any], now: dt.datetime = NOW) -> dict[str, Any]:
        """Trait (``strategy.trait``) and segment id → value; what is unknown is left out.

        Traits and segments are taken in their order: each may refer to earlier ones, and those of an
        exclusive group are listed by priority.
        """
        assert set(attributes) <= set(self.attributes)
        data: dict[str, Any] = {**attributes, "now": now}
        result: dict[str, Any] = {}
        for name, trait in self.traits:
            value = self._rules.value(trait.rule, data)
            if value is not None:
                data[name] = result[name] = value
                assert not trait.values or value in trait.values, f"{name} does not declare what it is"
        taken: dict[str, bool | None] = defaultdict(bool)
        for segment in self.segments:
            value = self._rules.value(segment.rule, data)
            if segment.exclusive_group:
                earlier = taken[segment.exclusive_group]
                taken[segment.exclusive_group] = _or(earlier, value)
                value = _and_not(value, earlier)
            if value is not None:
                data[variable(segment.id)] = result[segment.id] = value
        return result


def variable(segment_id: str) -> str:
    """How rules name a segment: ``food/wine-lovers`` → ``segments.food.wine_lovers``."""
    return "segments." + segment_id.replace("/", ".").replace("-", "_")


def _or(left: bool | None, right: bool | None) -> bool | None:
    """Kleene's or; None is unknown."""
    return True if left or right else None if left is None or right is None else False


def _and_not(left: bool | None, right: bool | None) -> bool | None:
    """Kleene's ``left && !right``."""
    return False if left is False or right is True else None if left is None or right is None else True
