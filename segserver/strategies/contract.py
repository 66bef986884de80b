"""What a strategy must be, beyond its Python types: checked when it is loaded and for each catalog."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from segserver.errors import InvalidInput, Violation
from segserver.events.checking import property_problems
from segserver.events.definitions import ComputedAttribute, Event
from segserver.model import NAME, SEGMENT_ID, TYPE_NAMES, Category
from segserver.rules.check import RESERVED
from segserver.strategies.api import API_VERSION, Attribute, Segment, Settings, Strategy, Trait
from segserver.strategies.fits import FIT

MINIMUM_AUDIENCE_FLOOR = 20
"""No segment may ask for a smaller minimum audience: a number about fewer people is about people."""

_Noun = TypeVar("_Noun")

VERSION_CHARACTERS_MAX = 64
"""Every audit entry repeats the versions."""

RESERVED_NAMES = RESERVED | {"timestamp", "duration", "now", "segments", "lists"}
"""What a rule reads as something else: CEL's reserved words and types, ``now``, ``segments``, ``lists``."""


@dataclass(frozen=True, slots=True)
class ResolvedStrategy:
    """A strategy with its settings decided, and the traits and segments that follow from them."""

    strategy: Strategy
    settings: Settings
    events: tuple[Event, ...]
    computed: tuple[ComputedAttribute, ...]
    traits: tuple[Trait, ...]
    segments: tuple[Segment, ...]

    @property
    def name(self) -> str:
        """The strategy's name."""
        return self.strategy.name


def is_name(name: object) -> bool:
    """Whether rules can read ``name`` as one identifier of ours."""
    return isinstance(name, str) and NAME.fullmatch(name) is not None and name not in RESERVED_NAMES


def is_segment_id(segment_id: object) -> bool:
    """Whether ``segment_id`` has the form of an id, and rules can read the variable made of it."""
    if not isinstance(segment_id, str) or len(segment_id) > 200 or not SEGMENT_ID.fullmatch(segment_id):
        return False
    return RESERVED.isdisjoint(segment_id.split("/"))


def variable_of(segment_id: str) -> str:
    """How rules name a segment: ``segments.retail.lapsed_big_spender`` for ``retail/lapsed-big-spender``."""
    return "segments." + segment_id.replace("/", ".").replace("-", "_")


def problems(strategy: object) -> list[str]:
    """What is wrong with a strategy before its settings are known; empty when nothing is."""
    if not isinstance(strategy, Strategy):
        return [f"the hook yielded {type(strategy).__name__}, not Strategy"]
    if not is_name(strategy.name):
        return [f"the strategy's name {strategy.name!r} is not a lower-case identifier, or is reserved"]
    if strategy.api != API_VERSION:
        return [
            f"strategy {strategy.name} is made for API version {strategy.api}; this server has {API_VERSION}"
        ]
    found = [] if strategy.version else ["the version is empty"]
    if len(strategy.version) > VERSION_CHARACTERS_MAX:
        found.append(f"the version has more than {VERSION_CHARACTERS_MAX} characters")
    settings: object = strategy.settings
    if not (isinstance(settings, type) and issubclass(settings, Settings)):
        found.append("settings is not a subclass of Settings")
    elif strategy.fit is not None and FIT not in settings.model_fields:
        found.append("it has a fit, and no setting of that name to keep it in")
    if strangers := _strangers("attributes", strategy.attributes, Attribute):
        return [f"strategy {strategy.name}: {problem}" for problem in strangers]
    found += _duplicates("attribute", [attribute.name for attribute in strategy.attributes])
    for attribute in strategy.attributes:
        found += [f"attribute {attribute.name}: {problem}" for problem in _attribute(attribute)]
    return [f"strategy {strategy.name}: {problem}" for problem in found]


def resolve(strategy: Strategy, settings: Mapping[str, Any] | None = None) -> ResolvedStrategy:
    """The strategy under these settings.

    Raises :class:`InvalidInput`, with one violation for each wrong setting (``field`` is its dotted path),
    or for each wrong trait or segment (``field`` is empty: the settings can't be blamed for those alone).
    """
    try:
        resolved = strategy.settings.model_validate(dict(settings or {}))
    except ValidationError as error:
        raise invalid(
            strategy,
            [
                (".".join(map(str, e["loc"])), _setting_message(strategy, e))
                for e in error.errors(include_input=False)
            ],
        ) from None
    try:
        if strategy.check is not None:
            strategy.check(resolved)
        events = _decided(strategy.events, resolved)
        computed = _decided(strategy.computed, resolved)
        traits = _decided(strategy.traits, resolved)
        segments = _decided(strategy.segments, resolved)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin's code may raise what is no Exception, such as SystemExit
        raise invalid(strategy, [("", f"{type(error).__name__}: {error}")]) from error
    return checked(ResolvedStrategy(strategy, resolved, events, computed, traits, segments))


def checked(resolved: ResolvedStrategy) -> ResolvedStrategy:
    """The same, when its nouns are sound. Raises :class:`InvalidInput`."""
    strategy, computed = resolved.strategy, resolved.computed
    found = _events(resolved.events) + _computed(strategy, computed)
    found += _traits(strategy, resolved.traits, computed) + _segments(resolved.segments)
    if found:
        raise invalid(strategy, [("", problem) for problem in found])
    return resolved


def _decided(
    part: Sequence[_Noun] | Callable[[Any], Sequence[_Noun]], settings: Settings
) -> tuple[_Noun, ...]:
    return tuple(part(settings) if callable(part) else part)


def _setting_message(strategy: Strategy, error: Any) -> str:
    known = sorted(strategy.settings.model_fields)
    if error["type"] != "extra_forbidden" or len(error["loc"]) != 1:
        return str(error["msg"])
    near = difflib.get_close_matches(str(error["loc"][0]), known, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"unknown setting; {strategy.name} has {', '.join(known) or 'none'}{hint}"


def takes_defaults(strategy: Strategy) -> bool:
    """Whether every setting of the strategy has a default."""
    return not any(field.is_required() for field in strategy.settings.model_fields.values())


def invalid(strategy: Strategy, found: Iterable[tuple[str, str]]) -> InvalidInput:
    """What is wrong with a strategy under its settings: pairs of a dotted path and a description."""
    violations = [Violation(field, message) for field, message in found]
    text = "; ".join(f"{v.field}: {v.description}" if v.field else v.description for v in violations)
    return InvalidInput(f"strategy {strategy.name}: {text}", reason="STRATEGY_INVALID", violations=violations)


def _duplicates(kind: str, names: Sequence[str]) -> list[str]:
    return [f"{kind} {name} is defined {count} times" for name, count in Counter(names).items() if count > 1]


def _strangers(field: str, nouns: Sequence[object], noun: type) -> list[str]:
    return [f"{field} hold {type(n).__name__}, not {noun.__name__}" for n in nouns if not isinstance(n, noun)]


def _attribute(attribute: Attribute) -> Iterator[str]:
    if not is_name(attribute.name):
        yield "the name is not a lower-case identifier, or is reserved"
    if attribute.type not in TYPE_NAMES:
        yield f"unknown type {attribute.type!r}; use one of {', '.join(sorted(TYPE_NAMES))}"
    if attribute.category not in list(Category):
        yield f"unknown category {attribute.category!r}; use one of {', '.join(Category)}"
    if attribute.values and attribute.type not in ("string", "list(string)"):
        yield "only a string or a list of string can have values"


def _events(events: Sequence[Event]) -> list[str]:
    if strangers := _strangers("events", events, Event):
        return strangers
    found = _duplicates("event", [event.name for event in events])
    for event in events:
        found += [f"event {event.name}: {problem}" for problem in _event(event)]
    return found


def _event(event: Event) -> Iterator[str]:
    if not is_name(event.name):
        yield "the name is not a lower-case identifier, or is reserved"
    if event.category not in list(Category):
        yield f"unknown category {event.category!r}; use one of {', '.join(Category)}"
    for name, prop in event.properties.items():
        if not is_name(name):
            yield f"property {name}: the name is not a lower-case identifier, or is reserved"
        if prop.category not in list(Category):
            yield f"property {name}: unknown category {prop.category!r}; use one of {', '.join(Category)}"
    if all(is_name(name) for name in event.properties):
        for field, message in property_problems(event):
            yield f"{field}: {message}"


def _computed(strategy: Strategy, computed: Sequence[ComputedAttribute]) -> list[str]:
    """What they aggregate is checked with the catalog: the event may be another strategy's."""
    if strangers := _strangers("computed", computed, ComputedAttribute):
        return strangers
    names = [attribute.name for attribute in computed]
    found = _duplicates("attribute", [*names, *(attribute.name for attribute in strategy.attributes)])
    for attribute in computed:
        if not is_name(attribute.name):
            found.append(
                f"computed {attribute.name}: the name is not a lower-case identifier, or is reserved"
            )
        if attribute.category not in list(Category):
            found.append(
                f"computed {attribute.name}: unknown category {attribute.category!r}; use one of "
                f"{', '.join(Category)}"
            )
    return found


def _traits(strategy: Strategy, traits: Sequence[Trait], computed: Sequence[ComputedAttribute]) -> list[str]:
    if strangers := _strangers("traits", traits, Trait):
        return strangers
    attributes = {attribute.name for attribute in strategy.attributes} | {a.name for a in computed}
    found = _duplicates("trait", [trait.name for trait in traits])
    for trait in traits:
        found += [f"trait {trait.name}: {problem}" for problem in _trait(trait, attributes)]
    return found


def _trait(trait: Trait, attributes: set[str]) -> Iterator[str]:
    if not is_name(trait.name):
        yield "the name is not a lower-case identifier, or is reserved"
    if trait.type not in TYPE_NAMES:
        yield f"unknown type {trait.type!r}; use one of {', '.join(sorted(TYPE_NAMES))}"
    if trait.values and trait.type not in ("string", "list(string)"):
        yield "only a string or a list of string can have values"
    code = trait.function is not None or trait.vectorized is not None
    if bool(trait.rule) == code:
        yield "give either a rule, or a function (with or without a vectorized form)"
    elif code and not trait.reads:
        yield "a code trait names the attributes that it reads"
    elif trait.rule and trait.reads:
        yield "a rule says itself what it reads; leave reads empty"
    if trait.example and len(trait.example) != len(trait.reads):
        yield "the example has one value for each of reads"
    if len(set(trait.reads)) < len(trait.reads):
        yield "reads names an attribute twice"
    for name in trait.reads:
        if name not in attributes:
            yield f"reads {name}, which the strategy does not declare as an attribute"


def _segments(segments: Sequence[Segment]) -> list[str]:
    if strangers := _strangers("segments", segments, Segment):
        return strangers
    found = _duplicates("segment", [segment.id for segment in segments])
    for segment in segments:
        found += [f"segment {segment.id}: {problem}" for problem in _segment(segment)]
    return found


def _segment(segment: Segment) -> Iterator[str]:
    if not is_segment_id(segment.id):
        yield "the id is not lower-case words joined by - and separated by /"
    if not segment.rule.strip():
        yield "the rule is empty"
    if segment.minimum_audience is not None and segment.minimum_audience < MINIMUM_AUDIENCE_FLOOR:
        yield f"the minimum audience is below the floor of {MINIMUM_AUDIENCE_FLOOR}"
