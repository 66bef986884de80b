"""Lists and thresholds of the needs strategy, each with its default."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from segserver.strategies.api import Settings
from segserver.strategies.cel import OTHER, Label, Spellings, folded
from segserver_needs.isic import SECTIONS, Industry


class Theme(Settings):
    """What several needs have in common: a customer who names enough of them has the theme."""

    title: str = ""
    pain_points: tuple[Label, ...] = ()
    benefits: tuple[Label, ...] = ()
    minimum_matches: int = Field(default=1, ge=1)
    """How many of ``pain_points`` and ``benefits`` together a customer must name."""

    @model_validator(mode="after")
    def _can_be_recognized(self) -> Self:
        named = len(set(self.pain_points)) + len(set(self.benefits))
        if named < self.minimum_matches:
            raise ValueError(f"minimum_matches is {self.minimum_matches}, of {named} needs")
        return self


def _apart(industries: tuple[Industry, ...]) -> tuple[Industry, ...]:
    owner: dict[str, str] = {}
    for industry in industries:
        for text in {folded(spelling) for spelling in (industry.label, *industry.spellings)}:
            if text == OTHER or owner.setdefault(text, industry.label) != industry.label:
                raise ValueError(f"{text!r} can't mean {industry.label!r}: it is taken")
    sections = [industry.section for industry in industries if industry.section]
    if len(set(sections)) < len(sections) or len({industry.label for industry in industries}) < len(
        industries
    ):
        raise ValueError("two industries have one label or one section")
    ranges = sorted(industry.divisions for industry in industries if industry.divisions is not None)
    if any(right[0] <= left[1] for left, right in pairwise(ranges)):
        raise ValueError("the divisions of two industries overlap")
    return industries


FIXED_TRAITS = frozenset({"pain_points", "benefits", "main_challenge", "industry", "role"})
"""The names that no theme can take."""


def trait_name(theme: str) -> str:
    """The trait of a theme: ``price-sensitive`` → ``price_sensitive``."""
    return theme.replace("-", "_")


def _named_apart(themes: dict[Label, Theme]) -> dict[Label, Theme]:
    for name in themes:
        if trait_name(name) in FIXED_TRAITS or name[0].isdigit():
            raise ValueError(f"a theme can't be called {name!r}")
    return themes


def _without_other(table: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if OTHER in table:
        raise ValueError(f"{OTHER!r} is what every text becomes that no list names; it can't be listed")
    return table


OpenSpellings = Annotated[Spellings, AfterValidator(_without_other)]


class NeedsSettings(Settings):
    """Settings of the needs strategy."""

    pain_points: Spellings = {
        "price": ("too expensive", "cost", "high prices"),
        "complexity": ("too complex", "hard to use", "complicated"),
        "slowness": ("slow", "waiting", "slow delivery", "late delivery"),
        "poor-service": ("support", "bad support", "complaint"),
        "poor-quality": ("defects", "unreliable", "breaks"),
        "missing-features": ("missing functions", "limited"),
        "integration": ("does not integrate", "silos"),
        "lack-of-time": ("no time", "time"),
        "lack-of-trust": ("privacy", "data protection", "trust"),
        "choice-overload": ("too much choice",),
    }
    """Pain point → the texts that mean it. Other texts stay as they are."""

    benefits: Spellings = {
        "low-price": ("savings", "discounts", "deals", "value for money"),
        "quality": ("durability", "craftsmanship", "premium quality"),
        "convenience": ("easy", "ease of use", "home delivery"),
        "speed": ("fast", "fast delivery"),
        "service": ("advice", "good support"),
        "reliability": ("dependability", "availability"),
        "security": ("safety", "compliance"),
        "status": ("prestige", "luxury", "exclusivity"),
        "variety": ("choice", "selection"),
        "innovation": ("novelty", "latest technology"),
        "sustainability": ("environment", "ecology"),
        "pleasure": ("enjoyment", "indulgence", "taste"),
    }
    """Benefit sought → the texts that mean it. Segmenting by benefits is R. I. Haley's idea ("Benefit
    segmentation: a decision-oriented research tool", 1968). Other texts stay as they are."""

    challenges: OpenSpellings = {
        "growth": ("finding customers", "sales"),
        "cost": ("cutting costs", "efficiency", "margins"),
        "cash-flow": ("liquidity", "financing"),
        "staff": ("hiring", "skills shortage", "retention of staff"),
        "digitalization": ("digital transformation", "automation"),
        "compliance": ("regulation", "data protection"),
        "security": ("cyber security", "fraud"),
        "retention": ("churn", "customer loyalty"),
        "supply": ("supply chain", "delivery times"),
        "sustainability": ("emissions", "energy"),
    }
    """Challenge → the texts that mean it. Any other text becomes ``other``."""

    industries: Annotated[tuple[Industry, ...], AfterValidator(_apart)] = SECTIONS
    """By default the sections of ISIC Rev. 4."""

    roles: OpenSpellings = {
        "decider": ("owner", "founder", "ceo", "cfo", "cto", "managing director", "director", "head"),
        "buyer": ("purchaser", "purchasing", "purchasing manager", "procurement"),
        "influencer": ("engineer", "architect", "consultant", "analyst", "specialist"),
        "gatekeeper": ("assistant", "office manager", "secretary", "reception"),
        "initiator": ("project manager", "product manager"),
        "user": ("employee", "operator", "clerk", "worker"),
    }
    """Role in a purchase → the job roles that play it: the buying centre of F. E. Webster and Y. Wind,
    1972, with the initiator of T. V. Bonoma, 1982. Any other text becomes ``other``."""

    themes: Annotated[dict[Label, Theme], AfterValidator(_named_apart)] = {
        "price-sensitive": Theme(title="Price-sensitive", pain_points=("price",), benefits=("low-price",)),
        "convenience-seeker": Theme(
            title="Seeks convenience",
            pain_points=("complexity", "lack-of-time", "slowness"),
            benefits=("convenience", "speed"),
        ),
        "quality-seeker": Theme(
            title="Seeks quality", pain_points=("poor-quality",), benefits=("quality", "reliability")
        ),
        "service-seeker": Theme(title="Seeks service", pain_points=("poor-service",), benefits=("service",)),
        "safety-seeker": Theme(title="Seeks safety", pain_points=("lack-of-trust",), benefits=("security",)),
        "status-seeker": Theme(title="Seeks status", benefits=("status",)),
    }
    """Theme → its needs. Each one becomes a trait (``needs.price_sensitive``) and a segment."""
