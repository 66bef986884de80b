"""Computed attributes within an evaluation: the events that the wanted segments need, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from segserver.catalog import Catalog
from segserver.catalog.catalog import Event
from segserver.engine.histories import Histories
from segserver.errors import IntegrityError
from segserver.events.history import Head, History
from segserver.model import Category
from segserver.privacy.gate import Mask
from segserver.privacy.vault import Subject
from segserver.storage.contract import Connection
from segserver.storage.lists import Lists

Submit = Callable[[Callable[[Connection], Any]], None]
"""Hands work to the store's writer, and does not wait for it."""


class Needs:
    """Which computed attributes and lists a purpose's segments need, and until when events count."""

    def __init__(self, catalog: Catalog, inputs: Sequence[str]) -> None:
        self.names = tuple(name for name in inputs if name in catalog.computed)
        self.lists = {one.variable: one.name for one in catalog.lists.values() if one.variable in inputs}
        """The lists that they ask for: variable → name."""
        self.program = catalog.behavior.program
        self.time_zone = catalog.behavior.time_zone
        self._retention_us = retention_us(catalog, self.program.events_of(self.names))

    def visible(self, mask: Mask, read: frozenset[str] | None) -> list[str]:
        """The computed attributes that may be seen and that are among ``read`` (``None``: all)."""
        visible = mask.visible
        return [name for name in self.names if name in visible and (read is None or name in read)]

    def visible_lists(self, mask: Mask, read: frozenset[str] | None) -> list[str]:
        """The variables of lists that may be seen and that are among ``read`` (``None``: all)."""
        visible = mask.visible
        return [name for name in self.lists if name in visible and (read is None or name in read)]

    def zone(self, values: Mapping[str, Any], mask: Mask) -> str | None:
        """The subject's time zone, where it may be seen."""
        zone = values.get(self.time_zone) if self.time_zone in mask.visible else None
        return zone if isinstance(zone, str) else None

    def floors(self, now_us: int) -> Mapping[str, int]:
        """Event → the moment at or before which it is past its retention."""
        return {event: now_us - retention for event, retention in self._retention_us.items()}


def retention_us(catalog: Catalog, events: Iterable[str]) -> dict[str, int]:
    """How long each event may be used, where there is a limit: as long as every part of it may be."""
    limits = catalog.policy.retention_us
    found: dict[str, int] = {}
    for event in events:
        categories = event_categories(catalog.events[event])
        if limited := [limits[category] for category in categories if category in limits]:
            found[event] = min(limited)
    return found


def event_categories(event: Event) -> frozenset[Category]:
    """The privacy categories of an event and of its properties."""
    properties = event.definition.properties.values()
    return frozenset({event.category, *(Category(prop.category) for prop in properties)})


class Behavior:
    """Computes what may be seen of a subject's behavior."""

    def __init__(self, histories: Histories, submit: Submit) -> None:
        self._histories = histories
        self._submit = submit
        self._lists = Lists()

    def values(
        self,
        connection: Connection,
        subject: Subject | None,
        needs: Needs,
        names: Sequence[str],
        now_us: int,
        at_us: int,
        zone: str | None,
    ) -> Mapping[str, Any]:
        """The values of computed attributes as of ``at_us``, in rule form; what has none is left out.

        ``subject`` ``None`` is one that is not stored: nothing is known that it did. ``now_us`` is the time
        of the call, which decides what is past its retention. Raises :class:`IntegrityError`."""
        events, floors = needs.program.events_of(names), needs.floors(now_us)
        histories, parts = self.histories(connection, subject, events)
        try:
            values = needs.program.evaluate(names, histories, at_us, zone=zone, floors=floors)
        except IntegrityError:
            # Perhaps only because a late event was merged into a part since its head was read.
            histories, parts = self.histories(connection, subject, events)
            values = needs.program.evaluate(names, histories, at_us, zone=zone, floors=floors)
        if subject is not None:
            for event, history in histories.items():
                if history.fresh:
                    numbered = {parts[event][index]: head for index, head in history.fresh.items()}
                    self._submit(partial(self._learn, subject, event, numbered))
        return values

    def listed(
        self,
        connection: Connection,
        needs: Needs,
        names: Iterable[str],
        keys: tuple[bytes, bytes],
        now_us: int,
    ) -> dict[str, bool]:
        """Whether a subject is in lists, by their variables; without those that are missing or have expired.

        ``keys`` are the key by which the subject was asked for, and its own."""
        found: dict[str, bool] = {}
        for name in names:
            row = self._lists.get(connection, needs.lists[name])
            if row is not None and (row.expires_us is None or row.expires_us > now_us):
                found[name] = self._lists.has(connection, row.version, *keys)
        return found

    def list_ends(self, connection: Connection, needs: Needs) -> list[int]:
        """When the lists expire, of those that do."""
        rows = (self._lists.get(connection, name) for name in needs.lists.values())
        return [row.expires_us for row in rows if row is not None and row.expires_us is not None]

    def histories(
        self, connection: Connection, subject: Subject | None, events: Iterable[str]
    ) -> tuple[dict[str, History], dict[str, list[int]]]:
        """A subject's events by name, and the numbers of their parts."""
        histories: dict[str, History] = {}
        parts: dict[str, list[int]] = {}
        for event in events:
            if subject is None:
                histories[event] = History()
            else:
                histories[event], parts[event] = self._histories.read(connection, subject, event)
        return histories, parts

    def _learn(self, subject: Subject, event: str, heads: Mapping[int, Head], connection: Connection) -> None:
        self._histories.learn(connection, subject, event, heads)
