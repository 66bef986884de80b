"""What differs between two catalogs, and whose meaning changed because of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from segserver.catalog import digest
from segserver.catalog.catalog import Catalog
from segserver.strategies import groups

Kind: TypeAlias = Literal["added", "removed", "changed"]
Part: TypeAlias = Literal[
    "attribute", "computed", "event", "list", "policy", "purpose", "strategy", "trait", "segment"
]
T = TypeVar("T")

_COMPUTED = (
    *("event", "aggregate", "window", "where", "of", "weight", "top", "then", "then_where", "within"),
    *("time_zone", "versus", "comparison"),
)
MEANING = ("rule", "type", "inputs", "version", "distribution", "settings", *_COMPUTED)
"""The fields that shape the value of a trait or a segment, of itself or through a dependency."""


@dataclass(frozen=True, slots=True)
class Change:
    """How one definition differs.

    ``fields`` names what changed in it. ``through`` names what it depends on, directly or not, whose
    meaning changed, so that its own may have changed while its text did not.
    """

    part: Part
    name: str
    kind: Kind
    fields: tuple[str, ...] = ()
    through: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """All changes, sorted by part and name; empty when both catalogs have one digest."""

    segments: tuple[Change, ...]
    others: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.segments or self.others)


def diff(old: Catalog, new: Catalog) -> Difference:
    """What changes when ``new`` takes the place of ``old``."""
    others = [
        *_changes("attribute", old.attributes, new.attributes, digest.attribute_fields),
        *_changes("computed", old.computed, new.computed, digest.computed_fields),
        *_changes("event", old.events, new.events, digest.event_fields),
        *_changes("list", old.lists, new.lists, digest.list_fields),
        *_changes(
            "policy", digest.policy_parts(old.policy), digest.policy_parts(new.policy), lambda part: part
        ),
        *_changes("purpose", old.purposes, new.purposes, digest.purpose_fields),
        *_changes("strategy", old.strategies, new.strategies, digest.strategy_fields),
        *_changes("trait", old.traits, new.traits, digest.trait_fields),
    ]
    segments = _changes("segment", old.segments, new.segments, digest.segment_fields)
    changed = {change.name for change in others if change.kind == "changed" and _matters(change)}
    changed |= {new.segments[c.name].variable for c in segments if c.kind == "changed" and _matters(c)}
    through = _through(new, changed)
    return Difference(
        tuple(_with_through("segment", segments, {n: through[s.variable] for n, s in new.segments.items()})),
        tuple([c for c in others if c.part != "trait"])
        + tuple(
            _with_through(
                "trait", [c for c in others if c.part == "trait"], {n: through[n] for n in new.traits}
            )
        ),
    )


def _matters(change: Change) -> bool:
    """Whether a change of these fields can change the value that others read."""
    return bool({*MEANING, "exclusive_group", "priority"}.intersection(change.fields))


def _changes(
    part: Part, old: Mapping[str, T], new: Mapping[str, T], fields: Callable[[T], Mapping[str, Any]]
) -> list[Change]:
    found = []
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            found.append(Change(part, name, "added"))
        elif name not in new:
            found.append(Change(part, name, "removed"))
        else:
            before, after = fields(old[name]), fields(new[name])
            differing = tuple(sorted(key for key in before if before[key] != after[key]))
            if differing:
                found.append(Change(part, name, "changed", differing))
    return found


def _through(catalog: Catalog, changed: set[str]) -> dict[str, tuple[str, ...]]:
    """Step → the changed names below it. Code traits change with their strategy's version or settings."""
    strategies = {name for name in changed if name in catalog.strategies}
    found: dict[str, frozenset[str]] = {}
    for step in catalog.steps.ordered:
        below: set[str] = set()
        for name in catalog.steps.reads[step.name]:
            below |= found.get(name, frozenset())
            below |= {groups.segment_of(name)} & changed
        trait = catalog.traits.get(step.name)
        if trait is not None and not trait.rule and trait.strategy in strategies:
            below.add(trait.strategy)
        found[step.name] = frozenset(below - {groups.segment_of(step.name)})
    return {name: tuple(sorted(names)) for name, names in found.items()}


def _with_through(
    part: Part, changes: Iterable[Change], through: Mapping[str, tuple[str, ...]]
) -> list[Change]:
    """The changes with what they depend on, and one for each name that changed only through others."""
    by_name = {change.name: change for change in changes}
    for name, names in through.items():
        before = by_name.get(name)
        if names and (before is None or before.kind == "changed"):
            fields = before.fields if before else ()
            by_name[name] = Change(part, name, "changed", fields, names)
    return [by_name[name] for name in sorted(by_name)]
