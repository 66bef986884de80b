"""A small world: two strategies in memory, and a catalog that uses them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from segserver.catalog import Catalog, resolve
from segserver.errors import CatalogError, Problem
from segserver.strategies import hookimpl
from segserver.strategies.api import Attribute, Segment, Settings, Strategy, Trait
from segserver.strategies.manager import Installed, load


class AgeSettings(Settings):
    adult: int = 18


def _traits(settings: AgeSettings) -> list[Trait]:
    return [
        Trait("adult", "bool", rule=f"age >= {settings.adult}"),
        Trait("initial", "string", reads=["name"], function=lambda name: name[:1] or None),
        Trait("faith", "string", rule="religion", derives_special=True),
    ]


PEOPLE = Strategy(
    name="people",
    version="1.0.0",
    settings=AgeSettings,
    attributes=[
        Attribute("age", "int", "demographic"),
        Attribute("name", "string", "identifier"),
        Attribute("religion", "string", "special"),
    ],
    traits=_traits,
    segments=[
        Segment("people/adults", "people.adult", title="Adults"),
        Segment("people/children", "!people.adult", purposes=["analytics"]),
        Segment("people/faithful", 'people.faith != ""', derives_special=True),
    ],
)

MONEY = Strategy(
    name="money",
    version="2.0.0",
    attributes=[Attribute("income", "double", "financial"), Attribute("age", "int", "demographic")],
    traits=[Trait("rich", "bool", rule="income > 100000.0 && people.adult")],
    segments=[Segment("money/rich", "money.rich")],
)


def plugin(*strategies: Strategy, name: str = "sample") -> object:
    """A plugin in memory."""

    @hookimpl
    def segserver_strategies() -> object:
        return strategies

    return SimpleNamespace(__name__=name, segserver_strategies=segserver_strategies)


@pytest.fixture(scope="session")
def installed() -> Installed:
    """Both strategies, of one plugin each."""
    return load([], [plugin(PEOPLE, name="people_plugin"), plugin(MONEY, name="money_plugin")], strict=True)


PURPOSES = """\
purposes:
  marketing: {legal_basis: consent, categories: [demographic, behavioral, identifier]}
  analytics: {legal_basis: legitimate_interest, categories: [demographic, behavioral, financial]}
  care: {legal_basis: consent, categories: [demographic, special]}
"""


@pytest.fixture
def purposes() -> str:
    """A file of three purposes."""
    return PURPOSES


@pytest.fixture
def build(installed: Installed) -> Callable[..., Catalog]:
    """Resolves YAML (one file, beside the purposes) with the two strategies."""

    def build(text: str, **files: str) -> Catalog:
        texts = {f"{name}.yaml": textwrap.dedent(content) for name, content in files.items()}
        return resolve({"a.yaml": textwrap.dedent(text), "purposes.yaml": PURPOSES, **texts}, installed)

    return build


@pytest.fixture
def problems(build: Callable[..., Catalog]) -> Callable[..., list[tuple[str, str]]]:
    """The problems of YAML that does not resolve: place (``a.yaml:3 segments.x.rule``) and message."""

    def problems(text: str, **files: str) -> list[tuple[str, str]]:
        with pytest.raises(CatalogError) as caught:
            build(text, **files)
        return [_shown(problem) for problem in caught.value.problems]

    return problems


def _shown(problem: Problem) -> tuple[str, str]:
    return f"{problem.file}:{problem.line} {problem.field}".strip(), problem.message
