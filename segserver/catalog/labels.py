"""Labels: the privacy categories and permitted purposes that travel from attributes to everything derived
from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from segserver.model import Category


@dataclass(frozen=True, slots=True)
class Label:
    """What is known about the data behind a name."""

    categories: frozenset[Category]
    purposes: frozenset[str]
    """The purposes that everything it depends on permits."""
    reads: frozenset[str]
    """The attributes it depends on, directly or not."""
    code: frozenset[str]
    """The code traits it depends on, directly or not, and itself if it is one."""


def attribute(name: str, categories: Iterable[Category], purposes: Iterable[str]) -> Label:
    """The label of an attribute itself."""
    return Label(frozenset(categories), frozenset(purposes), frozenset({name}), frozenset())


def join(labels: Collection[Label], purposes: frozenset[str]) -> Label:
    """The label of what depends on all of ``labels``; of ``purposes``, those that each of them permits."""
    if not labels:
        return Label(frozenset(), purposes, frozenset(), frozenset())
    return Label(
        frozenset().union(*(label.categories for label in labels)),
        purposes.intersection(*(label.purposes for label in labels)),
        frozenset().union(*(label.reads for label in labels)),
        frozenset().union(*(label.code for label in labels)),
    )


def special(label: Label, special_purposes: frozenset[str]) -> Label:
    """The label with the special category added, which only ``special_purposes`` may use."""
    return Label(
        label.categories | {Category.SPECIAL}, label.purposes & special_purposes, label.reads, label.code
    )


def permits(categories: Mapping[str, Collection[Category]], category: Category) -> frozenset[str]:
    """The purposes (name → its categories) that may use a category."""
    return frozenset(name for name, allowed in categories.items() if category in allowed)
