"""What the tests of every plugin may use."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cel_expr_python import cel
from cel_expr_python.ext import ext_strings
from hypothesis import HealthCheck, settings

from segserver.strategies.api import Strategy
from segserver.strategies.contract import ResolvedStrategy, resolve

NOW = dt.datetime(2025, 6, 15, 12, tzinfo=dt.UTC)

settings.register_profile("plugins", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("plugins")

TYPES = {
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "double": cel.Type.DOUBLE,
    "string": cel.Type.STRING,
    "timestamp": cel.Type.TIMESTAMP,
    "list(string)": cel.Type.List(cel.Type.STRING),
}


class Oracle:
    """A strategy of CEL traits under Google's evaluator; making it type-checks every rule."""

    def __init__(self, resolved: ResolvedStrategy) -> None:
        strategy = resolved.strategy
        variables = {attribute.name: attribute.type for attribute in strategy.attributes}
        variables |= {f"{strategy.name}.{trait.name}": trait.type for trait in resolved.traits}
        known = cel.FunctionDecl("known", [cel.Overload("known", cel.Type.BOOL, [cel.Type.DYN], False)])
        self.attributes = frozenset(attribute.name for attribute in strategy.attributes)
        self.environment = cel.NewEnv(
            variables={name: TYPES[type_name] for name, type_name in variables.items()}
            | {"now": cel.Type.TIMESTAMP},
            extensions=[ext_strings.ExtStrings()],
            functions=[known],
        )
        self.traits = [(f"{strategy.name}.{trait.name}", trait) for trait in resolved.traits]
        self.segments = [(segment.id, segment.rule) for segment in resolved.segments]
        for name, trait in self.traits:
            found = self.environment.compile(trait.rule).return_type()
            assert found.name() == TYPES[trait.type].name(), f"{name} is {found.name()}"
        for segment_id, rule in self.segments:
            assert self.environment.compile(rule).return_type().name() == "BOOL", segment_id

    def evaluate(self, attributes: Mapping[str, Any], now: dt.datetime = NOW) -> dict[str, Any]:
        """Trait (``strategy.trait``) and segment id → value; what is unknown is left out."""
        assert set(attributes) <= self.attributes
        data: dict[str, Any] = {**attributes, "now": now}
        result: dict[str, Any] = {}
        for name, trait in self.traits:
            value = self._value(trait.rule, data)
            if value is not None:
                data[name] = result[name] = value
                assert not trait.values or value in trait.values, (
                    f"{name} is {value}, which it does not declare"
                )
        for segment_id, rule in self.segments:
            value = self._value(rule, data)
            if value is not None:
                result[segment_id] = value
        return result

    def _value(self, rule: str, data: Mapping[str, Any]) -> Any:
        # Google's evaluator has no known(); it is decided here, as the host would.
        decided = re.sub(r"known\((\w+)\)", lambda match: "true" if match[1] in data else "false", rule)
        value = self.environment.compile(decided).eval(data=dict(data))
        return None if value.type() == cel.Type.ERROR else value.plain_value()


@pytest.fixture(scope="session")
def oracle() -> Callable[..., Oracle]:
    """Makes an oracle of a strategy and its settings."""

    def make(strategy: Strategy, **settings: Any) -> Oracle:
        return Oracle(resolve(strategy, settings))

    return make
