"""Reads the examples' mappings and catalogs, and runs their rules under Google's evaluator."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cel_oracle import Oracle, Rules
from segserver_demographic import STRATEGY as DEMOGRAPHIC
from segserver_needs import STRATEGY as NEEDS
from segserver_psychographic import STRATEGY as PSYCHOGRAPHIC

from segserver.strategies.api import Segment
from segserver.strategies.contract import resolve

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
PARSERS = {"string": str, "int": int, "double": float}


class Example:
    """One folder of examples, and the file that it is about."""

    def __init__(self, name: str, file: Path) -> None:
        self._file = file
        self._mapping = yaml.safe_load((EXAMPLES / name / "mapping.yaml").read_text(encoding="utf-8"))
        catalog: dict[str, Any] = {"attributes": {}, "segments": []}
        for path in sorted((EXAMPLES / name / "catalog").glob("*.yaml")):
            catalog |= yaml.safe_load(path.read_text(encoding="utf-8"))
        strategies = [
            resolve(strategy, catalog["strategies"].get(strategy.name, {}))
            for strategy in (DEMOGRAPHIC, PSYCHOGRAPHIC, NEEDS)
        ]
        self.catalog = catalog
        self.oracle = Oracle(
            strategies,
            {attribute: each["type"] for attribute, each in catalog["attributes"].items()},
            [Segment(**segment) for segment in catalog["segments"]],
        )
        self._columns = {
            column: {"type": each, "unknown": [""]} if isinstance(each, str) else each
            for column, each in self._mapping["columns"].items()
        }
        self._rules = Rules({column: each["type"] for column, each in self._columns.items()} | {"row": "int"})
        self._check()

    def profiles(self) -> Iterator[dict[str, Any] | str]:
        """Each row's profile, or the reason why it is rejected."""
        with self._file.open(encoding="utf-8", newline="") as file:
            for number, cells in enumerate(csv.DictReader(file, **self._mapping["format"]), start=1):
                row = {
                    column: PARSERS[each["type"]](cells[column].strip())
                    for column, each in self._columns.items()
                    if cells[column].strip() not in each["unknown"]
                }
                yield self._profile(row | {"row": number})

    def sizes(self, day: dt.date) -> Counter[str]:
        """Segment id → members on ``day``, for every segment that has any."""
        noon = dt.datetime.combine(day, dt.time(12), dt.UTC)
        return Counter(
            segment
            for profile in self.profiles()
            if not isinstance(profile, str)
            for segment, member in self.oracle.evaluate(profile, noon).items()
            if "/" in segment and member
        )

    def _check(self) -> None:
        for each in self._mapping["reject"]:
            self._rules.check(each["rule"], "bool")
        for attribute, each in self._mapping["attributes"].items():
            wanted = self.oracle.attributes[attribute]
            if "labels" in each:
                assert wanted == "list(string)"
                for rule in each["labels"].values():
                    self._rules.check(rule, "bool")
            elif "rule" in each:
                self._rules.check(each["rule"], wanted)
            else:
                assert self._columns[each["column"]]["type"] == wanted

    def _profile(self, row: dict[str, Any]) -> dict[str, Any] | str:
        for each in self._mapping["reject"]:
            if self._rules.value(each["rule"], row) is True:
                return str(each["reason"])
        values = {name: self._attribute(each, row) for name, each in self._mapping["attributes"].items()}
        return {name: value for name, value in values.items() if value is not None}

    def _attribute(self, form: dict[str, Any], row: dict[str, Any]) -> Any:
        if "column" in form:
            return row.get(form["column"])
        if "rule" in form:
            return self._rules.value(form["rule"], row)
        holds = {label: self._rules.value(rule, row) for label, rule in form["labels"].items()}
        return None if None in holds.values() else [label for label, held in holds.items() if held]


@pytest.fixture(scope="session")
def customer_personality(shared_data: Path) -> Example:
    return Example("customer_personality", shared_data / "customer_personality.tsv")


@pytest.fixture(scope="session")
def sapa_spi(shared_data: Path) -> Example:
    return Example("sapa_spi", shared_data / "sapa_spi.csv")
