"""Rows as events."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from segserver.cli._event_mapping import EventMapping, Group
from segserver.cli._importing import Importer, Item, RejectedRow, Report, characters
from segserver.cli._row_rules import ReadCell
from segserver.cli._rows import Rows
from segserver.client import Client, Event
from segserver.errors import SegserverError

FRAME_CHARACTERS = 40
"""About what an event takes beside its texts and properties."""


@dataclass(slots=True)
class Made:
    """How many events of a name the server has of this file, and of how many rows they were made."""

    events: int = 0
    rows: int = 0


@dataclass(slots=True)
class EventReport(Report):
    """What became of the rows, and of the events that they made."""

    events: dict[str, Made] = field(default_factory=dict)
    """By name."""
    repeated: int = 0
    """How many of the events the server had before."""


class EventImporter(Importer[Event]):
    """Records the event of each row, or of each group of rows; events at one time land in their order."""

    report: EventReport
    batch_max: ClassVar[int] = 10_000
    ordered_in_batch: ClassVar[bool] = True

    def __init__(
        self,
        client: Client,
        mapping: EventMapping,
        progress: Callable[[], None],
        on_rejected: Callable[[RejectedRow], None],
        *,
        dry_run: bool = False,
    ) -> None:
        super().__init__(client, EventReport(), progress, on_rejected, dry_run=dry_run)
        self._mapping = mapping
        self._counting = threading.Lock()

    def items(self, rows: Rows) -> Iterator[Item[Event]]:
        """An event for each group of rows, in the order of their first rows."""
        groups: dict[object, Group] = {}
        for row in rows.rows:
            self.take(row, functools.partial(self._add, row.line, rows.read_cell, groups))
            if len(groups) > self._mapping.groups_open_max:
                yield _item(groups.pop(next(iter(groups))))
        for group in groups.values():
            yield _item(group)

    def _add(self, line: int, read_cell: ReadCell, groups: dict[object, Group], cells: Sequence[Any]) -> None:
        self._mapping.add(self.report.rows, line, cells, read_cell, groups)

    def send(self, things: list[Event]) -> list[SegserverError | None]:
        """Records the events."""
        done = self._client.record_events(things)
        with self._counting:
            self.report.repeated += done.repeated
        return [done.rejected.get(index) for index in range(len(things))]

    def landed(self, item: Item[Event]) -> None:
        """Counts the event with its rows."""
        super().landed(item)
        made = self.report.events.setdefault(item.thing.name, Made())
        made.events += 1
        made.rows += len(item.lines)


def _item(group: Group) -> Item[Event]:
    event = group.event_of()
    texts = len(group.subject.id) + len(event.id) + len(event.name)
    size = FRAME_CHARACTERS + texts + characters(event.properties)
    return Item(group.lines, event, (group.subject, event.time), size)
