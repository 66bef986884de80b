"""A catalog's computed attributes, compiled once, for one subject at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from segserver.errors import InvalidInput
from segserver.events.checking import Checker, problems
from segserver.events.conditions import Opened
from segserver.events.definitions import SUBJECT_TIME_ZONE, ComputedAttribute, Event
from segserver.events.history import Chunk, Head, History
from segserver.events.measures import MISSING, Measure
from segserver.events.online import Moment
from segserver.events.plans import Plan
from segserver.model import TypeName
from segserver.rules import Function

__all__ = ["ComputedProgram", "problems"]

_NO_FLOORS: Mapping[str, int] = {}


class ComputedProgram:
    """Evaluates computed attributes. Immutable, and shared between threads.

    Raises :class:`~segserver.errors.InvalidInput` for the first definition that is wrong, or
    :class:`~segserver.errors.RuleError` for a condition; :func:`problems` finds everything wrong with one.
    """

    def __init__(
        self,
        attributes: Mapping[str, ComputedAttribute],
        events: Mapping[str, Event],
        functions: Sequence[Function] = (),
    ) -> None:
        self.events = events
        checker = Checker(events, functions)
        self.plans: Mapping[str, Plan] = {name: checker.plan(given) for name, given in attributes.items()}
        self.types: Mapping[str, TypeName] = {name: plan.type for name, plan in self.plans.items()}
        """The type of each attribute's value."""
        self.reads: Mapping[str, frozenset[tuple[str, str]]] = {
            n: plan.reads for n, plan in self.plans.items()
        }
        """What each attribute reads, as (event, property): an empty property is that the event happened, and
        when. Their labels travel to the attribute."""
        self.zoned = frozenset(name for name, plan in self.plans.items() if plan.zone == SUBJECT_TIME_ZONE)
        """The attributes that read the subject's time zone, too."""
        self._measures: dict[str, dict[bytes, Measure]] = {}
        for plan in self.plans.values():
            for measure in (plan.measure, *([plan.follow.measure] if plan.follow else [])):
                self._measures.setdefault(measure.event, {})[measure.digest] = measure

    def plan(self, name: str) -> Plan:
        """One attribute, compiled; raises :class:`InvalidInput` for a name that is none."""
        found = self.plans.get(name)
        if found is None:
            raise InvalidInput.of(name, "not a computed attribute")
        return found

    def events_of(self, names: Iterable[str]) -> frozenset[str]:
        """The names of the events that these attributes need the histories of."""
        return frozenset(event for name in names for event in self.plan(name).events)

    def continuous(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the attributes that change at every moment: a time since something, and a rate over a
        window that grows."""
        return frozenset(name for name in names if self.plan(name).continuous)

    def evaluate(
        self,
        wanted: Iterable[str],
        histories: Mapping[str, History],
        now_us: int,
        *,
        zone: str | None = None,
        floors: Mapping[str, int] = _NO_FLOORS,
    ) -> dict[str, Any]:
        """The values in rule form of the wanted attributes that have one, at ``now_us``.

        ``histories`` are the subject's events by name; a name without one has no events. Events dated later
        than now count no more than those at or before ``floors[event name]``, which are expired. ``zone`` is
        the subject's time zone; without one, or with one that is none, an attribute of the subject's
        calendar has no value.
        """
        moment = Moment(histories, now_us, zone, floors)
        values = {name: moment.value(self.plan(name)) for name in wanted}
        return {name: value for name, value in values.items() if value is not None}

    def next_change(
        self,
        wanted: Iterable[str],
        histories: Mapping[str, History],
        now_us: int,
        *,
        zone: str | None = None,
        floors: Mapping[str, int] = _NO_FLOORS,
    ) -> int | None:
        """The earliest time after ``now_us`` at which one of the wanted values can change by time alone;
        ``None`` if none ever can.

        Until then, the values stay as they are, but for :meth:`continuous` ones, which go on as they do. The
        floors are taken to move on with the time. The answer may be earlier than a change, and never later.
        """
        moment = Moment(histories, now_us, zone, floors)
        changes = [moment.next_change(self.plan(name)) for name in wanted]
        return min((change for change in changes if change is not None), default=None)

    def summarize(self, event: str, chunk: Chunk) -> Head:
        """The head of a full chunk of an event, with the partial results that this program's attributes
        need."""
        opened = Opened(chunk)
        found = {digest: measure.summary(opened) for digest, measure in self._measures.get(event, {}).items()}
        return Head.of(
            chunk, {digest: partial for digest, partial in found.items() if partial is not MISSING}
        )
