"""The typed nouns that a plugin yields. They are data: the host compiles, isolates, labels and runs them.

Example::

    @hookimpl
    def segserver_strategies():
        yield Strategy(
            name="demographic",
            version="1.0.0",
            attributes=[Attribute("birth_date", "timestamp", category="demographic")],
            traits=[Trait("born_in_summer", "bool", rule="birth_date.getMonth() in [5, 6, 7]")],
            segments=[Segment("demographic/summer-children", rule="demographic.born_in_summer")],
        )

:mod:`segserver.strategies.testing` checks that a strategy keeps this contract.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from segserver.events.definitions import Aggregate, ComputedAttribute, Event, Property
from segserver.model import Category, TypeName, Value
from segserver.rules.functions import Function

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "API_VERSION",
    "Aggregate",
    "Attribute",
    "ComputedAttribute",
    "Event",
    "Fit",
    "Function",
    "Property",
    "Segment",
    "Settings",
    "Strategy",
    "Trait",
]

API_VERSION = 1
"""The version of this contract. A strategy made for another one is quarantined."""


class Settings(BaseModel):
    """The base of a strategy's settings: bands, thresholds and lists, each with its default.

    A catalog overrides them under ``strategies: <name>:``; unknown keys are errors, and the resolved values
    are part of the catalog's digest. Fields must survive ``model_dump(mode="json")``.
    """

    model_config = {"extra": "forbid", "frozen": True, "validate_default": True}


@dataclass(frozen=True, slots=True)
class Attribute:
    """A typed input about a subject, with its privacy category.

    Two strategies may declare one attribute when type and category agree: the subject has one birth date.
    ``purposes`` narrows the purposes that the category allows; ``None`` leaves them.
    """

    name: str
    type: TypeName
    category: Category | str
    title: str = ""
    purposes: Sequence[str] | None = None
    values: Sequence[str] = ()
    """For a string or list of string: the values allowed; empty allows all."""


@dataclass(frozen=True, slots=True)
class Trait:
    """A typed value derived from attributes and other traits; rules read it as ``strategy.name``.

    Exactly one of ``rule`` and ``function`` (or ``vectorized``) is given:

    ``rule``
        CEL over attributes, ``now``, and ``strategy.trait`` of this strategy or another.
    ``function``
        A pure function of the attributes in ``reads``, positionally, in that order. It is called only when
        all of them are known, and returns the value, or ``None`` when there is none. In bulk it is called
        once for each distinct input. A timestamp comes as an aware datetime in UTC, a list of string as a
        tuple.
    ``vectorized``
        The same over columns: takes one ``polars.Series`` for each of ``reads``, without nulls, and returns
        a Series of the same length and of the trait's type (``Boolean``, ``Int64``, ``Float64``,
        ``String``, ``Datetime("us", "UTC")``, ``List(String)``), null where there is no value. With
        ``vectorized`` alone, a single subject is a column of length one; with both, they agree on every
        input.

    An exception, a value of another type, a double that is not finite, or a string outside ``values`` makes
    the trait unknown for that subject, with the reason STRATEGY_FAILED; the server goes on.
    """

    name: str
    type: TypeName
    title: str = ""
    rule: str = ""
    reads: Sequence[str] = ()
    function: Callable[..., Value | None] | None = None
    vectorized: Callable[..., pl.Series] | None = None
    values: Sequence[str] = ()
    """For a string or list of string: every value that the trait can take; empty when open."""
    example: Sequence[Value] = ()
    """For code: one value for each of ``reads``, for which there is a result. The code is run on it once
    before a catalog that needs the trait serves, so that reference data are loaded then and no customer
    waits. """
    derives_special: bool = False
    """Says openly that the trait reveals a special category (GDPR art. 9)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A ready-made segment. A catalog may override or disable it by its id."""

    id: str
    rule: str
    title: str = ""
    purposes: Sequence[str] | None = None
    """The purposes it serves; ``None`` means all that its attributes allow."""
    owner: str = ""
    tags: Sequence[str] = ()
    exclusive_group: str = ""
    priority: int = 0
    """Within the exclusive group: the lowest number wins."""
    minimum_audience: int | None = None
    """The smallest audience about which a number may leave; ``None`` means 100, and the floor is 20."""
    derives_special: bool = False
    """Says openly that the segment reveals a special category (GDPR art. 9)."""
    legal_or_similar_effect: bool = False
    """Says that membership has legal or similarly significant effects for the person (GDPR art. 22)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a strategy learns thresholds or parameters from a population, offline.

    ``function`` is given the resolved settings, a table with one row for each customer, and a seed for
    whatever it draws. The columns are ``reads`` (attributes, computed ones among them), null where a customer
    has no value; the rows come in no order that means anything, so it must not depend on theirs. It returns
    JSON values: what the strategy's settings have as ``fit``, a field that is ``None`` by default. It raises
    :class:`ValueError` with a sentence for what can't be fitted.
    """

    reads: Sequence[str]
    function: Callable[[Any, pl.DataFrame, int], Mapping[str, Any]]
    customers_min: int = 200
    """Fewer customers than this make no fit."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way of looking at customers: attributes that it reads, traits that it derives, segments that it
    offers.

    ``events``, ``computed``, ``traits`` and ``segments`` are sequences, or functions of the resolved settings
    where names, windows, bands and thresholds shape them. Rules read a computed attribute by its name, like
    any other. Two strategies may declare one event when they agree on its category and on the properties
    that both have, and one computed attribute when it is the same. ``check`` is called with the resolved
    settings before the strategy is used: with the defaults when the plugin is loaded, where what it raises
    quarantines the plugin, and with a catalog's settings when that is compiled, where it is a problem of
    the catalog.
    """

    name: str
    version: str
    title: str = ""
    api: int = API_VERSION
    settings: type[Settings] = Settings
    attributes: Sequence[Attribute] = ()
    events: Sequence[Event] | Callable[[Any], Sequence[Event]] = ()
    computed: Sequence[ComputedAttribute] | Callable[[Any], Sequence[ComputedAttribute]] = ()
    traits: Sequence[Trait] | Callable[[Any], Sequence[Trait]] = ()
    segments: Sequence[Segment] | Callable[[Any], Sequence[Segment]] = ()
    check: Callable[[Any], None] | None = field(default=None)
    fit: Fit | None = None
