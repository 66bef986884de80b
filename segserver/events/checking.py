"""What can be wrong with the definition of an event or of a computed attribute, all of it at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, get_args

from segserver.errors import InvalidInput, RuleError
from segserver.events.conditions import Condition, compile_condition, environment
from segserver.events.definitions import (
    AGGREGATES,
    PROPERTY_TYPES,
    SUBJECT_TIME_ZONE,
    TIME,
    Comparison,
    ComputedAttribute,
    Event,
)
from segserver.events.plans import COMPARED, OF_OPTIONAL, OF_TYPES, Plan, plan_of
from segserver.events.windows import parse_duration, parse_window
from segserver.model import NAME
from segserver.rules import Environment, Function
from segserver.rules.calendar import zone
from segserver.rules.check import RESERVED

TOP_MAX = 100
"""The longest list that most_frequent gives."""

_UNDECLARED = re.compile(r"(undeclared reference to 'event[^']*')")

Wrong: TypeAlias = tuple[str, str]
"""A field of a definition, and what is wrong with it."""


def property_problems(event: Event) -> list[Wrong]:
    """Everything wrong with the properties of an event by themselves; categories and purposes are the
    catalog's matter."""
    found = []
    for name, given in sorted(event.properties.items()):
        field = f"properties.{name}"
        if NAME.fullmatch(name) is None or name in RESERVED:
            found.append((field, f"{name!r} is not a name that a condition could read"))
        if name == TIME:
            found.append((field, "every event has its time, as event.time; call the property something else"))
        if given.type not in PROPERTY_TYPES:
            found.append((field, f"{given.type!r} is not a type; use one of {_list(PROPERTY_TYPES)}"))
        if given.values and given.type != "string":
            found.append((field, "only a string has allowed values"))
    return found


class Checker:
    """Checks and compiles definitions against one set of events; each event's conditions share a scope."""

    def __init__(self, events: Mapping[str, Event], functions: Sequence[Function] = ()) -> None:
        self._events = events
        self._functions = functions
        self._scopes: dict[str, Environment] = {}

    def problems(self, definition: ComputedAttribute) -> list[Wrong]:
        """Everything wrong with a definition, as (field, message); nothing, if it can be compiled."""
        found = list(self._names(definition))
        found += self._windows(definition)
        found += self._taken(definition)
        found += _fitting(definition)
        for field, event, text in _conditions(definition):
            if event in self._events:
                found += self._condition_problems(field, event, text)
        return found

    def plan(self, definition: ComputedAttribute) -> Plan:
        """The compiled definition; raises :class:`InvalidInput` for the first problem, and
        :class:`RuleError` for one of a condition."""
        for field, message in [
            *self._names(definition),
            *self._windows(definition),
            *self._taken(definition),
        ]:
            raise InvalidInput.of(f"{definition.name}.{field}", message)
        for field, message in _fitting(definition):
            raise InvalidInput.of(f"{definition.name}.{field}", message)
        made = {field: self._condition(event, text) for field, event, text in _conditions(definition)}
        return plan_of(definition, self._events, made.get("where"), made.get("then_where"))

    def _condition(self, event: str, text: str) -> Condition:
        if event not in self._scopes:
            self._scopes[event] = environment(self._events[event], self._functions)
        return compile_condition(text, self._scopes[event])

    def _condition_problems(self, field: str, event: str, text: str) -> Iterator[Wrong]:
        try:
            self._condition(event, text)
        except RuleError as error:
            yield field, _with_properties(error.message, self._events[event])
        except InvalidInput:
            return  # the event's own problem

    def _names(self, definition: ComputedAttribute) -> Iterator[Wrong]:
        if NAME.fullmatch(definition.name) is None or definition.name in RESERVED:
            yield "name", f"{definition.name!r} is not a name: lower-case letters, digits and _"
        if definition.aggregate not in AGGREGATES:
            yield "aggregate", _unknown("an aggregate", definition.aggregate, AGGREGATES)
        if definition.event not in self._events:
            yield "event", _unknown("an event of this catalog", definition.event, self._events)
        if definition.then and definition.then not in self._events:
            yield "then", _unknown("an event of this catalog", definition.then, self._events)

    def _windows(self, definition: ComputedAttribute) -> Iterator[Wrong]:
        for field, text in (("window", definition.window), ("versus", definition.versus)):
            if not text and field == "versus":
                continue
            try:
                window = parse_window(text)
            except ValueError as error:
                yield field, str(error)
                continue
            if window.kind == "since" and window.event not in self._events:
                yield field, _unknown("an event of this catalog", window.event, self._events)
        name = definition.time_zone
        if name != SUBJECT_TIME_ZONE and (not name or zone(name) is None):
            yield "time_zone", f"{name!r} is not a time zone; write one like Europe/Berlin, or subject"

    def _taken(self, definition: ComputedAttribute) -> Iterator[Wrong]:
        """What is wrong with ``of`` and ``weight``."""
        aggregate, event = definition.aggregate, self._events.get(definition.event)
        allowed = OF_TYPES.get(aggregate)
        if aggregate in AGGREGATES:
            if allowed is None and definition.of:
                yield "of", f"{aggregate} is of the event itself, not of a property"
            if allowed is not None and not definition.of and aggregate not in OF_OPTIONAL:
                yield "of", f"{aggregate} needs the property that it is of"
        if definition.weight and aggregate != "most_frequent":
            yield "weight", "only most_frequent has a weight"
        if event is None:
            return
        if definition.of and allowed is not None:
            yield from _property_problems("of", definition.of, event, allowed)
        if definition.weight:
            yield from _property_problems("weight", definition.weight, event, frozenset({"int", "double"}))


def problems(
    definition: ComputedAttribute, events: Mapping[str, Event], functions: Sequence[Function] = ()
) -> list[Wrong]:
    """Everything wrong with one definition; for many, use a :class:`Checker`."""
    return Checker(events, functions).problems(definition)


def _conditions(definition: ComputedAttribute) -> list[tuple[str, str, str]]:
    """The fields that hold a condition, the event that it is on, and the text."""
    given = [
        ("where", definition.event, definition.where),
        ("then_where", definition.then, definition.then_where),
    ]
    return [(field, event, text) for field, event, text in given if text.strip()]


def _property_problems(field: str, name: str, event: Event, allowed: frozenset[str]) -> Iterator[Wrong]:
    given = event.properties.get(name)
    if given is None:
        yield field, _unknown(f"a property of {event.name}", name, event.properties)
    elif given.type not in allowed:
        yield field, f"{name} is {given.type}; it must be {_list(allowed, 'or')}"


def _fitting(definition: ComputedAttribute) -> Iterator[Wrong]:
    """Fields that the aggregate does not have, or lacks."""
    aggregate = definition.aggregate
    if definition.top and aggregate != "most_frequent":
        yield "top", "only most_frequent has a top"
    if not 0 <= definition.top <= TOP_MAX:
        yield "top", f"must be from 0 to {TOP_MAX}"
    for field in ("then", "then_where", "within"):
        if getattr(definition, field) and aggregate != "sequence":
            yield field, f"only sequence has {field}"
    if aggregate == "sequence":
        if not definition.then:
            yield "then", "sequence needs the event that follows"
        yield from _duration("within", definition.within, parse_duration)
    if definition.versus and aggregate in AGGREGATES - COMPARED:
        yield "versus", f"{aggregate} can't be compared; {_list(COMPARED)} can"
    if definition.comparison not in get_args(Comparison):
        yield "comparison", _unknown("a comparison", definition.comparison, get_args(Comparison))


def _duration(field: str, text: str, parse: Callable[[str], int]) -> Iterator[Wrong]:
    try:
        parse(text)
    except ValueError as error:
        yield field, str(error)


def _with_properties(message: str, event: Event) -> str:
    """CEL's message, with what the event has where it names what that lacks."""
    return _UNDECLARED.sub(rf"\1; {event.name} has {_list([*event.properties, TIME])}", message)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), sorted(known), n=3)
    return f"{name!r} is not {what}" + (f"; did you mean {' or '.join(near)}?" if near else "")


def _list(names: Iterable[str], joint: str = "and") -> str:
    *others, last = sorted(names)
    return f"{', '.join(others)} {joint} {last}" if others else last
