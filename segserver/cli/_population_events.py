"""What the made-up customers did: each is somewhere on the journey, and the stages take turns.

Everything is dated back from the moment of the demonstration, so that its customers never grow old.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from segserver.cli._population import subject
from segserver.client import Event, EventDefinition
from segserver.model import Value

Done: TypeAlias = tuple[str, float, dict[str, Value]]
"""An event's name, how many days ago it was, and its properties."""

_PRODUCTS = ("garden-chair", "garden-lamp", "tent", "backpack", "desk", "teapot", "novel", "cookbook")
_TOPICS = ("garden", "outdoors", "home", "kitchen", "books")


def _nothing(_: random.Random) -> Iterator[Done]:
    yield from ()


def _visits(source: random.Random) -> Iterator[Done]:
    for _ in range(source.randint(1, 8)):
        page: dict[str, Value] = {
            "product": source.choice(_PRODUCTS),
            "topic": source.choice(_TOPICS),
            "seconds": round(source.expovariate(1 / 40), 1),
            "channel": source.choice(("web", "web", "app")),
        }
        yield "page_view", source.uniform(0.01, 25), page


def _signs_up(source: random.Random) -> Iterator[Done]:
    yield from _visits(source)
    yield "signed_up", source.uniform(1, 60), {}


def _leaves_a_cart(source: random.Random) -> Iterator[Done]:
    yield from _visits(source)
    if source.random() < 0.5:
        yield _order(source, source.uniform(70, 300))
    for _ in range(source.randint(1, 3)):
        product: dict[str, Value] = {"product": source.choice(_PRODUCTS), "amount": _amount(source)}
        yield "cart_add", source.uniform(0.1, 5), product


def _orders(*spans: tuple[float, float]) -> Callable[[random.Random], Iterator[Done]]:
    """Orders, each as many days ago as one of these spans says."""

    def done(source: random.Random) -> Iterator[Done]:
        yield from _visits(source)
        taste = source.lognormvariate(0, 0.6)
        for span in spans:
            order = _order(source, source.uniform(*span), taste)
            yield order
            if source.random() < 0.15:
                yield "order_returned", order[1] * 0.8, {"amount": order[2]["amount"]}

    return done


def _often(source: random.Random) -> Iterator[Done]:
    taste, every = source.lognormvariate(0.3, 0.6), source.uniform(20, 35)
    for number in range(source.randint(6, 14)):
        yield _order(source, every * (number + source.uniform(0.4, 0.8)), taste)
    yield from _signs_up(source)


JOURNEYS: Mapping[str, Callable[[random.Random], Iterator[Done]]] = {
    "loyal": _often,
    "visitor": _visits,
    "first-purchase": _orders((5, 55)),
    "cart-abandoner": _leaves_a_cart,
    "repeat": _orders((5, 55), (70, 110), (120, 230)),
    "at-risk": _orders((125, 175), (180, 360)),
    "lead": _signs_up,
    "lapsed": _orders((185, 345), (360, 500)),
    "won-back": _orders((5, 55), (260, 340)),
    "churned": _orders((365, 600)),
    "stranger": _nothing,
}
"""Each stage of the journey with what somebody did to be there."""


def stage(number: int) -> str:
    """The stage of the customer of this number, from 1: the first eleven are in one each."""
    return tuple(JOURNEYS)[(number - 1) % len(JOURNEYS)]


def events(size: int, seed: int, now: dt.datetime, declared: Sequence[EventDefinition]) -> Iterator[Event]:
    """What ``size`` customers did before ``now``: those events and properties of it that are declared.

    What is drawn for a customer does not depend on what is declared.
    """
    known = {event.name: {each.name for each in event.properties} for event in declared}
    for number in range(1, size + 1):
        source = random.Random(f"{seed}-{number}")  # noqa: S311  # sample data, and no secret
        done = [*JOURNEYS[stage(number)](source), *_contacts(source, number)]
        for position, (name, days_ago, properties) in enumerate(done):
            if name in known:
                yield Event(
                    subject(number),
                    name,
                    now - dt.timedelta(days=days_ago),
                    {key: value for key, value in properties.items() if key in known[name]},
                    f"demo-{number}-{position}",
                )


def _contacts(source: random.Random, number: int) -> Iterator[Done]:
    """E-mails, the app and support, whatever the stage. One customer in nine waits for an answer."""
    if stage(number) == "stranger":
        return
    for _ in range(source.randint(0, 6)):
        days = source.uniform(1, 150)
        yield "email_sent", days, {}
        if source.random() < 0.5:
            yield "email_opened", days - 0.5, {}
        if source.random() < 0.15:
            yield "email_clicked", days - 0.6, {}
    if source.random() < 0.3:
        yield "app_opened", source.uniform(0.1, 20), {}
    if number % 9 == 0:
        yield "support_asked", source.uniform(1.5, 6), {}
    elif source.random() < 0.2:
        asked = source.uniform(3, 80)
        yield "support_asked", asked, {}
        yield "support_answered", asked - source.uniform(0.1, 2), {}


def _order(source: random.Random, days_ago: float, taste: float = 1.0) -> Done:
    amount = round(_amount(source) * taste, 2)
    order: dict[str, Value] = {
        "amount": amount,
        "margin": round(amount * source.uniform(-0.05, 0.4), 2),
        "discount": source.choice((0.0, 0.0, 0.0, 0.1, 0.25)),
        "channel": source.choice(("web", "web", "app", "store")),
        "items": source.randint(1, 5),
    }
    return "order", days_ago, order


def _amount(source: random.Random) -> float:
    return round(source.lognormvariate(3.7, 0.5), 2)
