"""Nouns of a strategy as they travel: their fields, without code. What comes from a plugin host process is
checked for its types here, and for its meaning by :mod:`segserver.strategies.contract`, like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import msgspec
from pydantic import TypeAdapter, ValidationError

from segserver.errors import InvalidInput
from segserver.events.definitions import ComputedAttribute, Event
from segserver.strategies.api import Attribute, Segment, Trait
from segserver.strategies.isolation.messages import Resolved

T = TypeVar("T")

_CODE = frozenset({"function", "vectorized", "example"})
_PRIORITY_MAX = 2**31 - 1
"""What the API's messages hold."""

NOUNS_MAX = 10_000
RULE_CHARACTERS_MAX = 65_536
"""An isolated plugin's rules are compiled in the server: so many of each noun, and no longer than these."""

_ATTRIBUTES = TypeAdapter(tuple[Attribute, ...])
_EVENTS = TypeAdapter(tuple[Event, ...])
_COMPUTED = TypeAdapter(tuple[ComputedAttribute, ...])
_SEGMENTS = TypeAdapter(tuple[Segment, ...])


class _Trait(msgspec.Struct, forbid_unknown_fields=True):
    """A trait without its code."""

    name: str
    type: str
    title: str
    rule: str
    reads: tuple[str, ...]
    values: tuple[str, ...]
    derives_special: bool
    coded: bool


def plain(nouns: Sequence[Any]) -> list[dict[str, Any]]:
    """Nouns as their fields. Raises :class:`TypeError` for a field that is none of data."""
    return [msgspec.to_builtins(noun) for noun in nouns]


def plain_traits(traits: Sequence[Trait]) -> list[dict[str, Any]]:
    """Traits as their fields, ``coded`` where there is code."""
    names = [field.name for field in fields(Trait) if field.name not in _CODE]
    return [
        {name: msgspec.to_builtins(getattr(trait, name)) for name in names} | {"coded": not trait.rule}
        for trait in traits
    ]


def attributes(plain_nouns: Sequence[dict[str, Any]]) -> tuple[Attribute, ...]:
    """The attributes of these fields. Raises :class:`InvalidInput`."""
    return _typed(_ATTRIBUTES, plain_nouns)


def events(resolved: Resolved) -> tuple[Event, ...]:
    """The events of a resolved strategy. Raises :class:`InvalidInput`."""
    return _typed(_EVENTS, resolved.events)


def computed(resolved: Resolved) -> tuple[ComputedAttribute, ...]:
    """The computed attributes of a resolved strategy. Raises :class:`InvalidInput`."""
    return _typed(_COMPUTED, resolved.computed)


def segments(resolved: Resolved) -> tuple[Segment, ...]:
    """The segments of a resolved strategy. Raises :class:`InvalidInput`."""
    found = _typed(_SEGMENTS, resolved.segments)
    _check_rules(segment.rule for segment in found)
    for segment in found:
        if max(abs(segment.priority), segment.minimum_audience or 0) > _PRIORITY_MAX:
            raise InvalidInput("a segment's priority or minimum audience is beyond 32 bits")
    return found


def traits(resolved: Resolved, code: Callable[[str], Callable[..., Any]]) -> tuple[Trait, ...]:
    """The traits of a resolved strategy; ``code`` gives what stands for the code of one, by its name. Raises
    :class:`InvalidInput`."""
    found = []
    _check_number(resolved.traits)
    for item in resolved.traits:
        try:
            trait = msgspec.convert(item, _Trait)
        except msgspec.ValidationError as error:
            raise _invalid(error) from None
        made = {name: getattr(trait, name) for name in _Trait.__struct_fields__ if name != "coded"}
        found.append(Trait(**made, function=code(trait.name) if trait.coded else None))
    _check_rules(trait.rule for trait in found)
    return tuple(found)


def _check_number(nouns: Sequence[object]) -> None:
    if len(nouns) > NOUNS_MAX:
        raise InvalidInput(f"it declares {len(nouns)} of one noun, and may declare {NOUNS_MAX}")


def _check_rules(rules: Iterable[str]) -> None:
    if any(len(rule) > RULE_CHARACTERS_MAX for rule in rules):
        raise InvalidInput(f"a rule has more than {RULE_CHARACTERS_MAX} characters")


def _typed(adapter: TypeAdapter[tuple[T, ...]], plain_nouns: Sequence[dict[str, Any]]) -> tuple[T, ...]:
    _check_number(plain_nouns)
    try:
        return adapter.validate_python(plain_nouns)
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: Exception) -> InvalidInput:
    return InvalidInput(f"the plugin host process sent what is no noun: {type(error).__name__}")
