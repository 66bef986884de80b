"""A population of made-up customers for demonstrations: varied, partly unknown, and the same for the same
seed.

Nobody in it is real: every attribute is drawn at random, most of them independently of each other.
"""

from __future__ import annotations

import datetime as dt
import functools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

from segserver.client import Client, ProfileChange
from segserver.model import SubjectId, Value

Draw: TypeAlias = Callable[[random.Random], Value]

KNOWN = 0.8
"""The share of customers of whom a given attribute is known."""

_BIRTHDAYS = (dt.datetime(1940, 1, 1, tzinfo=dt.UTC), dt.datetime(2010, 12, 31, tzinfo=dt.UTC))
_CHILDS_BIRTHDAY = dt.datetime(2020, 6, 1, tzinfo=dt.UTC)
_LONG_AGO, _LESS_LONG_AGO = dt.datetime(2022, 3, 1, tzinfo=dt.UTC), dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
_PLACES: Sequence[tuple[str, str, str, float, float, str]] = (
    ("DE", "DE-BE", "Berlin", 52.52, 13.40, "de"),
    ("DE", "DE-BB", "Potsdam", 52.40, 13.06, "de"),
    ("DE", "DE-BY", "Munich", 48.14, 11.58, "de"),
    ("AT", "AT-9", "Vienna", 48.21, 16.37, "de"),
    ("CH", "CH-GE", "Geneva", 46.20, 6.15, "fr"),
    ("FR", "FR-69", "Lyon", 45.76, 4.84, "fr"),
    ("GB", "GB-MAN", "Manchester", 53.48, -2.24, "en"),
    ("US", "US-TX", "Austin", 30.27, -97.74, "en"),
    ("BR", "BR-SP", "São Paulo", -23.55, -46.63, "pt"),
    ("JP", "JP-27", "Osaka", 34.69, 135.50, "ja"),
)
_USER_AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
    "Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Safari/605.1.15",
)
_INTERESTS = ("hiking", "travel", "nature", "wine", "books", "gaming", "sports", "art", "food", "organic")


def _one(*choices: str) -> Draw:
    return lambda random: random.choice(choices)


def _some(*choices: str) -> Draw:
    return lambda random: tuple(random.sample(choices, random.randint(1, 3)))


def _birth_date(random: random.Random) -> Value:
    first, last = _BIRTHDAYS
    return first + dt.timedelta(days=random.randint(0, (last - first).days))


_DRAWS: Mapping[str, Draw] = {
    "birth_date": _birth_date,
    "gender": _one("female", "male", "female", "male", "non-binary"),
    "income": lambda random: round(random.lognormvariate(10.6, 0.6), -2),
    "education_level": lambda random: random.randint(2, 7),
    "occupation_code": _one("1", "2", "25", "22", "33", "4", "51", "7", "9"),
    "marital_status": _one("single", "married", "married", "cohabiting", "divorced", "widowed"),
    "children_at_home": lambda random: random.choice((0, 0, 0, 1, 1, 2, 3)),
    "user_agent": _one(*_USER_AGENTS),
    "app_installed": lambda random: random.random() < 0.3,
    "interests": _some(*_INTERESTS),
    "personal_values": _some("universalism", "security", "achievement", "benevolence", "stimulation"),
    "lifestyle": _one("active", "urban", "sustainable", "family-centred", "homebody"),
    "openness": lambda random: round(random.uniform(1, 6), 2),
    "conscientiousness": lambda random: round(random.uniform(1, 6), 2),
    "extraversion": lambda random: round(random.uniform(1, 6), 2),
    "agreeableness": lambda random: round(random.uniform(1, 6), 2),
    "neuroticism": lambda random: round(random.uniform(1, 6), 2),
    "pain_points": _some("price", "delivery", "poor-service"),
    "benefits_sought": _some("convenience", "low-price", "quality", "service"),
}


class Situation(StrEnum):
    """What a made-up customer decided about marketing."""

    GRANTED = "granted"
    REFUSED = "refused"
    EXPIRED = "expired"
    OBJECTED = "objected"
    CHILD = "child"
    """Granted, and below every age limit."""
    WITHDRAWN = "withdrawn"
    UNDECIDED = "undecided"


_SITUATIONS: Sequence[Situation] = (*Situation, Situation.GRANTED, Situation.GRANTED, Situation.UNDECIDED)


def situation(number: int) -> Situation:
    """The situation of the customer of this number, from 1: the first seven are in one each."""
    return _SITUATIONS[(number - 1) % len(_SITUATIONS)]


def subject(number: int) -> SubjectId:
    """The customer of this number: ``demo-0001``, …"""
    return SubjectId("customer", f"demo-{number:04}")


def decide(client: Client, number: int) -> None:
    """Records what the customer of this number decided about marketing."""
    customer, found = subject(number), situation(number)
    form = functools.partial(
        client.record_consent,
        customer,
        "marketing",
        method="web-form",
        notice_version="2026-01",
        jurisdiction="DE",
    )
    if found in (Situation.GRANTED, Situation.CHILD, Situation.WITHDRAWN):
        form()
    if found is Situation.WITHDRAWN:
        client.withdraw_consent(customer, "marketing", method="web-form")
    if found is Situation.REFUSED:
        form(granted=False)
    if found is Situation.EXPIRED:
        form(at=_LONG_AGO, expires=_LESS_LONG_AGO)
    if found is Situation.OBJECTED:
        client.record_objection(customer, method="call")


def population(size: int, seed: int, declared: Mapping[str, str]) -> Iterator[ProfileChange]:
    """Changes for ``size`` customers ``demo-0001``, …, with those attributes that ``declared`` (name →
    type) has.

    What is drawn for a customer does not depend on which strategies are installed.
    """
    source = random.Random(seed)  # noqa: S311  # sample data, and no secret
    for number in range(1, size + 1):
        drawn = {name: draw(source) for name, draw in _DRAWS.items() if source.random() < KNOWN}
        drawn |= _place(source)
        if situation(number) is Situation.CHILD:
            drawn["birth_date"] = _CHILDS_BIRTHDAY
        attributes = {name: value for name, value in drawn.items() if name in declared}
        yield ProfileChange(subject(number), attributes)


def _place(source: random.Random) -> dict[str, Value]:
    """A place that fits together: country, city and position are drawn at once."""
    country, subdivision, city, latitude, longitude, language = source.choice(_PLACES)
    north, east = source.gauss(0, 0.2), source.gauss(0, 0.2)
    place: dict[str, Value] = {}
    if source.random() < KNOWN:
        place |= {"country": country, "preferred_language": language}
    if source.random() < KNOWN:
        place |= {"subdivision": subdivision, "city": city}
    if source.random() < KNOWN:
        place |= {"latitude": round(latitude + north, 4), "longitude": round(longitude + east, 4)}
    return place
