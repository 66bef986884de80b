"""Bands, thresholds and lists of the demographic strategy, each with its default."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from segserver.strategies.api import Settings
from segserver.strategies.cel import OTHER, Band, Bands, Label, Spellings, TimeZone
from segserver_demographic.standards import ISCED_2011, ISCO_08


class Generation(Settings):
    """People born from January of ``first_year`` to December of ``last_year``."""

    label: Label
    first_year: int
    last_year: int

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.last_year < self.first_year:
            raise ValueError(f"generation {self.label} ends before it begins")
        return self


def _gapless(generations: tuple[Generation, ...]) -> tuple[Generation, ...]:
    if not generations:
        raise ValueError("at least one generation is needed")
    for left, right in pairwise(generations):
        if right.first_year != left.last_year + 1:
            raise ValueError(f"generation {right.label} does not begin in the year after {left.label} ends")
    labels = {generation.label for generation in generations}
    if len(labels) < len(generations) or labels & {"earlier", "later"}:
        raise ValueError("each generation needs a label of its own, and 'earlier' and 'later' are taken")
    return generations


def _only(allowed: tuple[str, ...], table: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    strangers = sorted(set(table) - set(allowed))
    if strangers:
        raise ValueError(f"unknown {', '.join(strangers)}; use {', '.join(allowed)}")
    return table


def _without_other(table: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if OTHER in table:
        raise ValueError(
            f"{OTHER!r} is what every text becomes that no list names; it can't be listed itself"
        )
    return table


OpenSpellings = Annotated[Spellings, AfterValidator(_without_other)]


class DemographicSettings(Settings):
    """Settings of the demographic strategy."""

    time_zone: TimeZone = "UTC"
    """Where a day begins and ends, for ages and birthdays: a name of the IANA time zone database."""

    leap_day_birthday: Literal["february-28", "march-1"] = "march-1"
    """When somebody born on 29 February grows a year older in a common year; countries differ."""

    age_bands: Bands = (
        Band(label="under-18", below=18),
        Band(label="18-24", below=25),
        Band(label="25-34", below=35),
        Band(label="35-44", below=45),
        Band(label="45-54", below=55),
        Band(label="55-64", below=65),
        Band(label="65-plus"),
    )
    """Completed years."""

    oldest_age: int = Field(default=120, ge=100)
    """Beyond it, or below zero, an age band is ``implausible``. The oldest age ever proved is 122 years."""

    adult_age: int = Field(default=18, ge=1, le=30)
    """Completed years from which a customer is an adult."""

    generations: Annotated[tuple[Generation, ...], AfterValidator(_gapless)] = (
        Generation(label="greatest", first_year=1901, last_year=1927),
        Generation(label="silent", first_year=1928, last_year=1945),
        Generation(label="baby-boomers", first_year=1946, last_year=1964),
        Generation(label="x", first_year=1965, last_year=1980),
        Generation(label="millennials", first_year=1981, last_year=1996),
        Generation(label="z", first_year=1997, last_year=2012),
    )
    """Birth years as Pew Research Center uses them (M. Dimock, "Defining generations", 2019)."""

    genders: OpenSpellings = {
        "female": ("f", "woman", "w"),
        "male": ("m", "man"),
        "non-binary": ("nonbinary", "non binary", "nb", "enby", "genderqueer", "diverse", "d"),
        "undisclosed": ("prefer not to say", "not disclosed", "unspecified", "x"),
    }
    """Gender → the texts that mean it. ``x`` is "unspecified" in travel documents (ICAO Doc 9303)."""

    currency: str = Field(default="EUR", pattern="^[A-Z]{3}$")
    """ISO 4217 code of the currency of ``income`` and of the bands. Nothing is converted."""

    income_bands: Bands = (
        Band(label="low", below=15_000),
        Band(label="lower-middle", below=30_000),
        Band(label="middle", below=60_000),
        Band(label="upper-middle", below=100_000),
        Band(label="high"),
    )
    """Yearly household income. The defaults are round numbers, not statistics: set them for your market."""

    education_labels: Annotated[Spellings, AfterValidator(lambda table: _only(ISCED_2011, table))] = {
        "early-childhood": ("none", "no schooling", "kindergarten"),
        "primary": ("primary school", "elementary school"),
        "lower-secondary": ("middle school", "secondary school", "gcse"),
        "upper-secondary": ("high school", "a-levels", "abitur", "matura", "baccalauréat", "apprenticeship"),
        "post-secondary-non-tertiary": ("certificate",),
        "short-cycle-tertiary": ("associate", "associate degree", "higher diploma", "bts"),
        "bachelor": ("bachelor's", "bachelor's degree", "ba", "bsc", "undergraduate degree"),
        "master": ("master's", "master's degree", "ma", "msc", "mba", "diplom"),
        "doctoral": ("doctorate", "phd", "dr"),
    }
    """ISCED 2011 level → the texts of ``education`` that mean it."""

    occupation_labels: Annotated[
        Spellings, AfterValidator(lambda table: _only(tuple(ISCO_08.values()), table))
    ] = {
        "managers": ("manager", "executive", "director"),
        "professionals": ("professional",),
        "technicians": ("technician", "technicians and associate professionals", "associate professional"),
        "clerical": ("clerk", "clerical support workers", "office"),
        "services-and-sales": ("service", "sales", "services and sales workers"),
        "skilled-agricultural": ("farmer", "skilled agricultural, forestry and fishery workers"),
        "craft-and-trades": ("craft", "trades", "craft and related trades workers"),
        "machine-operators": ("operator", "driver", "plant and machine operators, and assemblers"),
        "elementary": ("elementary occupations", "labourer", "laborer"),
        "armed-forces": ("armed forces occupations", "military", "soldier"),
    }
    """ISCO-08 major group → the texts of ``occupation_group`` that mean it."""

    marital_statuses: OpenSpellings = {
        "single": ("never married", "unmarried", "alone"),
        "married": (),
        "cohabiting": ("together", "civil union", "registered partnership", "partner", "living together"),
        "separated": (),
        "divorced": (),
        "widowed": ("widow", "widower"),
        "undisclosed": ("prefer not to say", "not disclosed"),
    }
    """Marital status → the texts that mean it. Any other text becomes ``other``."""

    religions: OpenSpellings = {
        "buddhist": ("buddhism",),
        "christian": ("christianity", "catholic", "protestant", "orthodox"),
        "hindu": ("hinduism",),
        "jewish": ("judaism",),
        "muslim": ("islam",),
        "sikh": ("sikhism",),
        "none": ("no religion", "atheist", "agnostic"),
        "undisclosed": ("prefer not to say", "not disclosed"),
    }
    """Religion or belief → the texts that mean it. Any other text becomes ``other``."""
