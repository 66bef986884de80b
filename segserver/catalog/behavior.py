"""The events and computed attributes of a catalog: its own and its strategies', merged, checked, labelled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from segserver.catalog.catalog import Attribute, Behavior, Computed, Event
from segserver.catalog.definitions import ComputedDefinition, EventDefinition, PolicyDefinition
from segserver.catalog.labels import permits
from segserver.catalog.names import near
from segserver.catalog.source import Defined, Source
from segserver.catalog.used import CATALOG, Used
from segserver.errors import Problem
from segserver.events import definitions as nouns
from segserver.events.checking import property_problems
from segserver.events.program import ComputedProgram, problems
from segserver.model import Category
from segserver.privacy.policy import Purpose
from segserver.rules.functions import Function

_NO_POLICY = PolicyDefinition()


@dataclass(frozen=True, slots=True)
class _Claim:
    """Who defines an event or a computed attribute, and where."""

    owner: str
    place: Defined[Any]
    own: bool

    def problem(self, noun: str, name: str, message: str, *path: str) -> Problem:
        """A problem with it, where an analyst can do something about it."""
        if self.own:
            return self.place.problem(message, *path)
        at = f"{'.'.join(path)}: " if path else ""
        return self.place.problem(f"{noun} {name}: {at}{message}")


class _Merger:
    def __init__(
        self,
        source: Source,
        used: Mapping[str, Used],
        purposes: Mapping[str, Purpose],
        attributes: Mapping[str, Attribute],
        functions: tuple[Function, ...],
        found: list[Problem],
    ) -> None:
        self._source = source
        self._used = used
        self._attributes = attributes
        self._functions = functions
        self._problems = found
        categories = {name: purpose.categories for name, purpose in purposes.items()}
        self._purposes = purposes
        self._allowed = {category: permits(categories, category) for category in Category}
        policy = _NO_POLICY if source.policy is None else source.policy.value
        self._zone = attributes.get(policy.time_zone)
        self._zone_name = policy.time_zone

    def behavior(self) -> Behavior:
        """Everything that is sound; what is not is a problem."""
        events = dict(sorted(self._events().items()))
        nouns_of_events = {name: event.definition for name, event in events.items()}
        definitions: dict[str, tuple[nouns.ComputedAttribute, tuple[str, ...]]] = {}
        for name, (definition, owners, claim) in sorted(self._definitions().items()):
            found = list(self._problems_of(name, definition, claim, nouns_of_events))
            self._problems += found
            if found:
                self._source.broken.add(name)
            else:
                definitions[name] = definition, owners
        program = ComputedProgram(
            {name: definition for name, (definition, _) in definitions.items()},
            nouns_of_events,
            self._functions,
        )
        computed = {
            name: self._computed(definition, owners, program, events)
            for name, (definition, owners) in definitions.items()
        }
        return Behavior(MappingProxyType(events), MappingProxyType(computed), program, self._zone_name)

    def _events(self) -> dict[str, Event]:
        merged: dict[str, Event] = {}
        for name, event, claim in self._claimed_events():
            self._problems += [
                claim.problem("event", name, wrong, *field.split("."))
                for field, wrong in property_problems(event)
            ]
            before = merged.get(name)
            if before is None:
                merged[name] = self._event(event, (claim.owner,))
                continue
            if (message := _disagreement(before.definition, event)) is not None:
                others = ", ".join(before.owners)
                self._problems.append(claim.problem("event", name, f"{message} in {others}; they must agree"))
                continue
            merged[name] = self._event(_merged(before.definition, event), (*before.owners, claim.owner))
        return merged

    def _claimed_events(self) -> Iterator[tuple[str, nouns.Event, _Claim]]:
        for owner, user in sorted(self._used.items()):
            for event in user.resolved.events:
                yield event.name, event, _Claim(owner, user.place, own=False)
        for name, defined in sorted(self._source.events.items()):
            yield name, _event_noun(name, defined.value), _Claim(CATALOG, defined, own=True)

    def _definitions(self) -> dict[str, tuple[nouns.ComputedAttribute, tuple[str, ...], _Claim]]:
        merged: dict[str, tuple[nouns.ComputedAttribute, tuple[str, ...], _Claim]] = {}
        for name, definition, claim in self._claimed_computed():
            if name in merged:
                before, owners, first = merged[name]
                if replace(before, title="") != replace(definition, title=""):
                    message = f"{', '.join(owners)} define it otherwise; rename one of them"
                    self._problems.append(claim.problem("computed attribute", name, message))
                merged[name] = before, (*owners, claim.owner), first
            else:
                merged[name] = definition, (claim.owner,), claim
        return merged

    def _claimed_computed(self) -> Iterator[tuple[str, nouns.ComputedAttribute, _Claim]]:
        for owner, user in sorted(self._used.items()):
            for definition in user.resolved.computed:
                yield definition.name, definition, _Claim(owner, user.place, own=False)
        for name, defined in sorted(self._source.computed.items()):
            yield name, _computed_noun(name, defined.value), _Claim(CATALOG, defined, own=True)

    def _problems_of(
        self,
        name: str,
        definition: nouns.ComputedAttribute,
        claim: _Claim,
        events: Mapping[str, nouns.Event],
    ) -> Iterator[Problem]:
        def problem(message: str, *path: str) -> Problem:
            return claim.problem("computed attribute", name, message, *path)

        if name in self._attributes:
            yield problem("an attribute has this name; rename one of them")
        if name in self._source.strategies:
            yield problem("a strategy has this name; choose another")
        if {definition.event, definition.then} & self._source.broken:
            return
        for field, message in problems(definition, events, self._functions):
            yield problem(message, *([field] if field else []))
        if definition.time_zone == nouns.SUBJECT_TIME_ZONE and (
            self._zone is None or self._zone.type != "string"
        ):
            yield problem(
                f"the subject's time zone is the string attribute {self._zone_name}, which the catalog does "
                "not have; add it under attributes, or name another under policy: {time_zone: …}",
                "time_zone",
            )
        for position, purpose in enumerate(definition.purposes or ()):
            if purpose not in self._purposes and purpose not in self._source.broken:
                message = f"unknown purpose {purpose}{near(purpose, self._purposes)}"
                yield problem(message, "purposes", str(position))

    def _event(self, event: nouns.Event, owners: tuple[str, ...]) -> Event:
        allowed = self._allowed[Category(event.category)]
        purposes = allowed if event.purposes is None else allowed & set(event.purposes)
        return Event(event.name, Category(event.category), event.title, purposes, event, owners)

    def _computed(
        self,
        definition: nouns.ComputedAttribute,
        owners: tuple[str, ...],
        program: ComputedProgram,
        events: Mapping[str, Event],
    ) -> Computed:
        own = Category(definition.category)
        purposes = self._allowed[own]
        sources: set[Category] = set()
        for event_name, property_name in program.reads[definition.name]:
            event = events[event_name]
            purposes &= event.purposes
            sources.add(event.category)
            if property_name:
                category = Category(event.definition.properties[property_name].category)
                sources.add(category)
                purposes &= self._allowed[category]
        if definition.time_zone == nouns.SUBJECT_TIME_ZONE and self._zone is not None:
            sources.add(self._zone.category)
            purposes &= self._zone.purposes
        if definition.purposes is not None:
            purposes &= frozenset(definition.purposes)
        return Computed(
            name=definition.name,
            type=program.types[definition.name],
            category=own,
            title=definition.title,
            purposes=purposes,
            sources=frozenset(sources),
            definition=definition,
            owners=owners,
        )


def behavior(
    source: Source,
    used: Mapping[str, Used],
    purposes: Mapping[str, Purpose],
    attributes: Mapping[str, Attribute],
    functions: tuple[Function, ...],
    found: list[Problem],
) -> Behavior:
    """The events and computed attributes of a catalog. Problems go to ``found``, and what has one to
    ``source.broken``.
    """
    return _Merger(source, used, purposes, attributes, functions, found).behavior()


def _event_noun(name: str, given: EventDefinition) -> nouns.Event:
    return nouns.Event(
        name,
        given.category,
        {key: nouns.Property(p.type, p.category, p.title, p.values) for key, p in given.properties.items()},
        given.title,
        given.purposes,
    )


def _computed_noun(name: str, given: ComputedDefinition) -> nouns.ComputedAttribute:
    said = {key: getattr(given, key) for key in ComputedDefinition.model_fields}
    return nouns.ComputedAttribute(name=name, **said)


def _disagreement(first: nouns.Event, second: nouns.Event) -> str | None:
    if Category(first.category) != Category(second.category):
        return f"the event is {Category(second.category)} here, and {Category(first.category)}"
    for name, prop in second.properties.items():
        known = first.properties.get(name)
        if known is not None and (known.type, Category(known.category)) != (
            prop.type,
            Category(prop.category),
        ):
            return (
                f"property {name} is {prop.type} ({prop.category}) here, and {known.type} ({known.category})"
            )
    return None


def _merged(first: nouns.Event, second: nouns.Event) -> nouns.Event:
    """One event of two that agree: the properties of both, only the purposes of both."""
    lists = [set(event.purposes) for event in (first, second) if event.purposes is not None]
    return nouns.Event(
        first.name,
        first.category,
        {**second.properties, **first.properties},
        first.title or second.title,
        sorted(set.intersection(*lists)) if lists else None,
    )
