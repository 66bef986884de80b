"""The ready-made segments of value; there are none without a fit."""

from __future__ import annotations

from collections.abc import Mapping

from segserver.strategies.api import Segment
from segserver.strategies.cel import literal
from segserver_value.settings import ValueSettings
from segserver_value.traits import CELLS

OWNER = "segserver-value"


def segments(settings: ValueSettings) -> list[Segment]:
    """One exclusive group each for cells, tiers and classes, and those of high lifetime value."""
    if settings.fit is None:
        return []
    tiers = {tier: f"Tier: {tier.replace('-', ' ')}" for tier in reversed(settings.tiers)}
    classes = {
        "a": "Bring most of the money (class A)",
        "b": "Bring some of the money (class B)",
        "c": "Bring the rest of the money (class C)",
    }
    return [
        *_group("rfm", "cell", CELLS, {cell: cell for cell in CELLS}),
        *_group("tier", "tier", tiers, {tier: tier for tier in tiers}),
        *_group("abc", "abc_class", classes, {name: name.upper() for name in classes}),
        Segment(
            "value/high-value",
            rule="value.high_value",
            title=f"Lifetime value of {settings.high_value:g} or more",
            owner=OWNER,
            tags=("value",),
        ),
    ]


def _group(prefix: str, trait: str, titles: Mapping[str, str], values: Mapping[str, str]) -> list[Segment]:
    return [
        Segment(
            f"value/{prefix}-{name}",
            rule=f"value.{trait} == {literal(values[name])}",
            title=title,
            owner=OWNER,
            tags=("value", prefix),
            exclusive_group=f"value-{prefix}",
            priority=position,
        )
        for position, (name, title) in enumerate(titles.items(), start=1)
    ]
