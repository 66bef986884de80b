"""A strategy's traits and segments through both compilers, for the tests of plugins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl

from segserver.rules import Coded, Computed, Environment, compile_python
from segserver.rules.polars import WITHHELD, compile_polars
from segserver.rules.program import Step
from segserver.rules.times import from_datetime
from segserver.rules.values import adapt, from_rule, to_rule
from segserver.strategies.api import Strategy, Trait
from segserver.strategies.contract import resolve

NOW = dt.datetime(2025, 6, 15, 12, tzinfo=dt.UTC)

DTYPES = {
    "bool": pl.Boolean(),
    "int": pl.Int64(),
    "double": pl.Float64(),
    "string": pl.String(),
    "timestamp": pl.Datetime("us", "UTC"),
    "list(string)": pl.List(pl.String()),
}


class StrategyProgram:
    """One strategy. Names are ``strategy.trait`` and segment ids; a trait stands after what it reads."""

    def __init__(self, strategy: Strategy, **settings: Any) -> None:
        resolved = resolve(strategy, settings)
        self.types = {attribute.name: attribute.type for attribute in strategy.attributes}
        self.values: dict[str, Sequence[str]] = {}
        named = {f"{strategy.name}.{trait.name}": trait for trait in resolved.traits}
        self._environment = Environment({**self.types, **{name: trait.type for name, trait in named.items()}})
        origins: dict[str, frozenset[str]] = {name: frozenset({name}) for name in self.types}
        steps: list[Step] = []
        for name, trait in named.items():
            steps.append(self._step(name, trait))
            origins[name] = frozenset().union(*(origins[read] for read in steps[-1].reads))
            self.values[name] = trait.values
        steps += [
            Computed(segment.id, self._environment.check(segment.rule, "bool"))
            for segment in resolved.segments
        ]
        self.outputs = {step.name: step.type for step in steps}
        self._python = compile_python(steps, list(self.types), list(self.outputs), origins)
        self._polars = compile_polars(steps, self.types, self.outputs, origins)

    def one(self, attributes: Mapping[str, Any], withheld: Collection[str] = ()) -> dict[str, Any]:
        """Every trait and segment that has a value, for one subject."""
        row = [
            to_rule(attributes[name], type_name) if name in attributes and name not in withheld else None
            for name, type_name in self.types.items()
        ]
        failures: list[str] = []
        found = self._python(row, from_datetime(NOW), "subject", frozenset(withheld), failures)
        assert not failures
        return {
            name: from_rule(value, type_name)
            for (name, type_name), value in zip(self.outputs.items(), found, strict=True)
            if value is not None
        }

    def table(
        self, rows: Sequence[Mapping[str, Any]], withheld: Collection[str] = ()
    ) -> list[dict[str, Any]]:
        """The same for many subjects in one table."""
        columns = {
            name: pl.Series(
                [None if name in withheld else row.get(name) for row in rows], dtype=DTYPES[type_name]
            )
            for name, type_name in self.types.items()
        }
        hidden = {name + WITHHELD: pl.Series([True] * len(rows), dtype=pl.Boolean()) for name in withheld}
        failures: list[str] = []
        frame = pl.DataFrame({**columns, **hidden})
        found = self._polars(frame, now=NOW, failures=failures)
        assert not failures
        return [
            {name: value for name, value in row.items() if value is not None}
            for row in found.select(*self.outputs).to_dicts()
        ]

    def _step(self, name: str, trait: Trait) -> Step:
        if trait.rule:
            return Computed(name, self._environment.check(trait.rule, trait.type))
        assert trait.function is not None
        parameters = [self.types[read] for read in trait.reads]
        scalar = adapt(trait.function, parameters, trait.type)
        return Coded(name, trait.type, tuple(trait.reads), scalar, trait.vectorized)
