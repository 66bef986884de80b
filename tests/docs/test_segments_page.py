"""The page for analysts lists what the rules and the catalog have, and nothing else."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from segserver.catalog.definitions import (
    AttributeDefinition,
    ListDefinition,
    PurposeDefinition,
    SegmentDefinition,
)
from segserver.errors import RuleError
from segserver.rules import Environment, Rule
from segserver.rules.builtins import BUILTINS
from segserver.rules.signatures import Signature

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "segments.md"
TEXT = PAGE.read_text(encoding="utf-8")

VARIABLES = {
    "visits": "int",
    "spend": "double",
    "city": "string",
    "interests": "list(string)",
    "joined": "timestamp",
    "phone": "string",
    "lists.vip_2026": "bool",
}
CUSTOMER = {
    "visits": 5,
    "spend": 120.5,
    "city": "Oslo",
    "interests": ("wine", "cheese"),
    "joined": dt.datetime(2021, 5, 17, 10, 30, tzinfo=dt.UTC),
    "lists.vip_2026": True,
}
FORMS = {"_?_:_": "{} ? {} : {}", "_[_]": "{}[{}]", "!_": "!{}", "-_": "-{}", "@in": "{} in {}"}


def section(heading: str) -> str:
    """From a heading to the next one of its level or above."""
    level = heading.count("#", 0, 3)
    found = re.search(rf"^{heading}$(.*?)(?=^#{{1,{level}}} |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None, heading
    return found[1]


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each row of the tables in ``text``, without the heads."""
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def shown(signature: Signature) -> str:
    """``int + int → int``, ``string.size() → int``, ``size(string) → int``."""
    name, parameters = signature.name, signature.parameters
    form = FORMS.get(name) or (f"{{}} {name.strip('_')} {{}}" if name.startswith("_") else None)
    if form is not None:
        text = form.format(*parameters)
    elif signature.member:
        text = f"{parameters[0]}.{name}({', '.join(parameters[1:])})"
    else:
        text = f"{name}({', '.join(parameters)})"
    return f"{text} → {signature.result}"


FUNCTIONS = list(rows(section("## Functions")))


def test_every_function_is_there_and_no_other() -> None:
    listed = [signature for row in FUNCTIONS for signature in codes(row[0]) if "→" in signature]
    assert sorted(listed) == sorted(shown(signature) for signature in BUILTINS.values())


@pytest.mark.parametrize("example", [row[1].strip("`") for row in FUNCTIONS])
def test_every_example_is_true(example: str) -> None:
    now = dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC)
    assert Rule(example, VARIABLES).evaluate(CUSTOMER, now=now, subject="customer-1") is True


@pytest.mark.parametrize(
    ("rule", "message"), [(r[0].strip("`"), r[1].strip("`")) for r in rows(section("## What is refused"))]
)
def test_what_is_refused_says_so(rule: str, message: str) -> None:
    with pytest.raises(RuleError) as raised:
        Environment(VARIABLES, []).check(rule, "bool")
    assert message in raised.value.message


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("## Purposes", PurposeDefinition),
        ("## Attributes", AttributeDefinition),
        ("## Lists of customers", ListDefinition),
        ("## Segments", SegmentDefinition),
    ],
)
def test_every_key_is_there_and_no_other(heading: str, model: type[BaseModel]) -> None:
    assert sorted(key for row in rows(section(heading)) for key in codes(row[0])) == sorted(
        model.model_fields
    )
