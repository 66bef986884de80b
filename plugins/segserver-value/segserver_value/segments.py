"""The ready-made segments of value; there are none without a fit."""

from __future__ import annotations

from segserver.strategies.api import Segment
from segserver.strategies.ready_made import ReadyMade, titled
from segserver_value.settings import ValueSettings
from segserver_value.traits import CELLS

READY_MADE = ReadyMade("value", owner="segserver-value")

CLASSES = {
    "A": "Bring most of the money (class A)",
    "B": "Bring some of the money (class B)",
    "C": "Bring the rest of the money (class C)",
}


def segments(settings: ValueSettings) -> list[Segment]:
    """One exclusive group each for cells, tiers and classes, and those of high lifetime value."""
    if settings.fit is None:
        return []
    high_value = f"Lifetime value of {settings.high_value:g} or more"
    return [
        *READY_MADE.each("rfm", "cell", CELLS),
        *READY_MADE.each("tier", "tier", titled("Tier: {}", reversed(settings.tiers))),
        *READY_MADE.each("abc", "abc_class", CLASSES),
        READY_MADE.one("high-value", high_value, "value.high_value"),
    ]
