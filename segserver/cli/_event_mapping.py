"""A mapping of events, compiled: what makes an event of a row, or of the rows of one group."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from segserver.catalog.names import near
from segserver.cli._mapping_spec import EventSpec, EventsSpec, SourceSpec, SpecFile
from segserver.cli._row_rules import ReadCell, Rejected, Row, RowRules, Source
from segserver.client import Event, EventDefinition
from segserver.events.columns import MICRO, millionths
from segserver.events.definitions import DOUBLE_MAX
from segserver.model import SubjectId, Value

GROUPS_OPEN_MAX = 1_000
"""The rows of a group may be interrupted by those of others: it is closed when so many more have begun."""

_TAKES: Mapping[str, Callable[[list[Any]], Any]] = {
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "minimum": min,
    "maximum": max,
}
_TAKEN_OF = {
    "sum": frozenset({"int", "double"}),
    "minimum": frozenset({"int", "double", "timestamp"}),
    "maximum": frozenset({"int", "double", "timestamp"}),
}


@dataclass(frozen=True, slots=True)
class _Property:
    name: str
    source: Source
    take: str

    def value(self, row: Row) -> Value | None:
        """What a row has of it."""
        value = row.of(self.source)
        if isinstance(value, float) and not abs(value) <= DOUBLE_MAX:
            raise Rejected(f"the property {self.name} is beyond {DOUBLE_MAX:g}, or no number")
        return value

    def taken(self, values: list[Any]) -> Value:
        """What it is of all rows together. A sum of doubles is one of millionths, as a computed attribute's
        is: the order of rows does not matter.
        """
        if self.take != "sum":
            return cast("Value", _TAKES[self.take](values))
        return sum(map(millionths, values)) / MICRO if self.source.type == "double" else sum(values)


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of event: rows for which ``when`` holds, the name of a rule, or all if it is empty."""

    name: str
    when: str
    properties: tuple[_Property, ...]


@dataclass(slots=True)
class Group:
    """The rows of one event so far: their lines, and the values of each property that are known."""

    event: str
    subject: SubjectId
    id: str
    time: dt.datetime
    properties: tuple[_Property, ...]
    lines: list[int] = field(default_factory=list)
    values: dict[str, list[Any]] = field(default_factory=dict)

    def event_of(self) -> Event:
        """The event that they make together."""
        taken = {
            each.name: each.taken(self.values[each.name])
            for each in self.properties
            if each.name in self.values
        }
        return Event(self.subject, self.event, self.time, taken, self.id)


class EventMapping:
    """What a mapping file says, checked against the catalog's events. :meth:`add` takes row after row.

    Raises:
        InvalidInput: with everything that is wrong with the file, each with its line.
    """

    def __init__(self, file: SpecFile[EventsSpec], declared: Mapping[str, EventDefinition]) -> None:
        spec = file.spec
        self._rules = RowRules(file)
        number = spec.id.column in spec.columns and spec.columns[spec.id.column].type == "int"
        self._id = self._source("id", spec.id, "int" if number else "string")
        self._time = self._source("time", spec.time, "timestamp")
        self.groups_open_max = 0 if spec.group_by is None else GROUPS_OPEN_MAX
        self._group_by = spec.group_by
        if spec.group_by is not None:
            self._rules.column(spec.group_by, "group_by")
        self._kinds = [self._kind(index, each, declared) for index, each in enumerate(spec.events)]
        self._rules.seal()

    def add(
        self,
        number: int,
        line: int,
        cells: Sequence[object],
        read_cell: ReadCell,
        groups: dict[object, Group],
    ) -> None:
        """Adds a row to its group, which may be a new one.

        Raises:
            Skipped, Rejected: as :meth:`~segserver.cli._row_rules.RowRules.read`; rejected, too, is a row
                without id or time, one that is of no kind, and one that differs from the others of its group
                in its subject or its kind.
        """
        row = self._rules.read(number, cells, read_cell)
        kind = self._kind_of(row)
        known = {each.name: value for each in kind.properties if (value := each.value(row)) is not None}
        key = number if self._group_by is None else row.values[self._group_by]
        if key is None:
            raise Rejected(f"column {self._group_by}: the group is missing")
        group = groups.get(key)
        if group is None:
            group = groups[key] = self._group(row, kind)
        elif (group.event, group.subject) != (kind.name, row.subject):
            raise Rejected("the rows of this group differ in their subject or their kind of event")
        for name, value in known.items():
            group.values.setdefault(name, []).append(value)
        group.lines.append(line)

    def _group(self, row: Row, kind: _Kind) -> Group:
        identifier, moment = row.of(self._id), row.of(self._time)
        if moment is None:
            raise Rejected("the event's time is missing")
        if identifier is None or identifier == "":
            raise Rejected("the event's id is missing")
        time = cast("dt.datetime", moment)
        return Group(kind.name, row.subject, str(identifier), time, kind.properties)

    def _kind_of(self, row: Row) -> _Kind:
        for kind in self._kinds:
            if not kind.when or row.results[kind.when] is True:
                return kind
        raise Rejected("no kind of event fits this row")

    def _source(self, name: str, spec: SourceSpec, type_name: str) -> Source:
        return self._rules.source(name, spec.column, spec.rule, type_name, name)

    def _kind(self, index: int, spec: EventSpec, declared: Mapping[str, EventDefinition]) -> _Kind:
        place = ("events", index)
        when = f"events.{index}" if spec.when else ""
        if spec.when:
            self._rules.rule(when, spec.when, "bool", *place, "when")
        definition = declared.get(spec.name)
        if definition is None:
            self._rules.problem(
                f"the catalog declares no such event{near(spec.name, declared)}", *place, "name"
            )
            return _Kind(spec.name, when, ())
        types = {each.name: each.type for each in definition.properties}
        found = []
        for name, each in spec.properties.items():
            path = (*place, "properties", name)
            if name not in types:
                self._rules.problem(f"the event {spec.name} has no such property{near(name, types)}", *path)
                continue
            if each.take in _TAKEN_OF and types[name] not in _TAKEN_OF[each.take]:
                self._rules.problem(f"{each.take} can't be taken of a {types[name]}", *path, "take")
            source = self._rules.source(f"{spec.name}.{name}", each.column, each.rule, types[name], *path)
            found.append(_Property(name, source, each.take))
        return _Kind(spec.name, when, tuple(found))
