"""Sends what a file's rows become to the server: in batches, several of them on their way at a time."""

from __future__ import annotations

import contextlib
import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from segserver.cli._row_rules import Rejected, Skipped
from segserver.cli._rows import Row, Rows
from segserver.client import Client
from segserver.errors import InvalidInput, LimitExceeded, SegserverError
from segserver.model import Value

BATCH_CHARACTERS = 1_000_000
"""Keeps a message below gRPC's 4 MiB, whatever the script: a character takes four bytes at most, with names
on top.
"""

BATCHES_IN_FLIGHT = 4

REPORTED_MAX = 1_000
"""Rejected rows that are kept for the report; all are counted, and given to the listener."""

_PLACE_IN_CALL = re.compile(r"\b(events|changes)\[\d+\]\.")

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not imported: its line, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Report:
    """What became of the rows: each was written, skipped or rejected."""

    rows: int = 0
    written: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    """How many, by the reason that the mapping gives."""
    rejected_count: int = 0
    rejected: list[RejectedRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """What some rows became. Of two items with one ``order``, the first must land first."""

    lines: Sequence[int]
    thing: T
    order: Hashable
    characters: int


@dataclass(slots=True)
class _Batch(Generic[T]):
    items: list[Item[T]] = field(default_factory=list)
    orders: set[Hashable] = field(default_factory=set)
    characters: int = 0

    def add(self, item: Item[T]) -> None:
        self.items.append(item)
        self.orders.add(item.order)
        self.characters += item.characters


class Importer(ABC, Generic[T]):
    """Imports rows through a client. An interrupted import is repeated from the start: writing a row twice
    is writing it once.

    ``progress`` is called after each batch, ``on_rejected`` for each rejected row.
    """

    batch_max: ClassVar[int]
    """What the server takes in one call."""
    ordered_in_batch: ClassVar[bool]
    """Whether a call keeps the order of what it is given; if not, no order is in a batch twice."""

    def __init__(
        self,
        client: Client,
        report: Report,
        progress: Callable[[], None],
        on_rejected: Callable[[RejectedRow], None],
        *,
        dry_run: bool = False,
    ) -> None:
        self.report = report
        self._client = client
        self._progress = progress
        self._on_rejected = on_rejected
        self._dry_run = dry_run
        self._flying: deque[tuple[_Batch[T], Future[list[SegserverError | None]]]] = deque()

    @abstractmethod
    def items(self, rows: Rows) -> Iterator[Item[T]]:
        """What the rows become. Rows that are not taken are told of by :meth:`take`."""

    @abstractmethod
    def send(self, things: list[T]) -> list[SegserverError | None]:
        """Sends one batch; for each the error it met, or ``None``. In a thread of its own."""

    def landed(self, item: Item[T]) -> None:
        """The server has it."""
        self.report.written += len(item.lines)

    def run(self, rows: Rows) -> None:
        """Imports all rows; the report says what became of them.

        Raises:
            SegserverError: when the server can't go on; the rows before have landed, and the report counts
            them.
        """
        with ThreadPoolExecutor(BATCHES_IN_FLIGHT, "import") as threads:
            try:
                batch: _Batch[T] = _Batch()
                for item in self.items(rows):
                    if not self._fits(batch, item):
                        self._fly(threads, batch)
                        batch = _Batch()
                    batch.add(item)
                self._fly(threads, batch)
                while self._flying:
                    self._land()
            except SegserverError:
                self._settle()
                raise

    def take(self, row: Row, read: Callable[[Sequence[Any]], R]) -> R | None:
        """What ``read`` makes of a row's cells; ``None`` for one that is not taken; both count."""
        self.report.rows += 1
        try:
            if row.cells is None:
                raise Rejected(row.problem)
            return read(row.cells)
        except Skipped as skipped:
            reason = str(skipped)
            self.report.skipped[reason] = self.report.skipped.get(reason, 0) + 1
        except Rejected as rejected:
            self._reject(row.line, str(rejected))
        return None

    def _fits(self, batch: _Batch[T], item: Item[T]) -> bool:
        return (
            len(batch.items) < self.batch_max
            and batch.characters + item.characters <= BATCH_CHARACTERS
            and (self.ordered_in_batch or item.order not in batch.orders)
        )

    def _fly(self, threads: ThreadPoolExecutor, batch: _Batch[T]) -> None:
        if not batch.items:
            return
        if any(not flying.orders.isdisjoint(batch.orders) for flying, _ in self._flying):
            while self._flying:
                self._land()
        while len(self._flying) >= BATCHES_IN_FLIGHT:
            self._land()
        self._flying.append((batch, threads.submit(self._write, [item.thing for item in batch.items])))

    def _write(self, things: list[T]) -> list[SegserverError | None]:
        """For each thing the error it met, or ``None``. A batch that is refused as a whole is tried in
        halves, so that one row that no message can hold costs itself only.
        """
        if self._dry_run:
            return [None] * len(things)
        try:
            return self.send(things)
        except (InvalidInput, LimitExceeded) as error:
            if len(things) == 1:
                return [error]
            half = len(things) // 2
            return self._write(things[:half]) + self._write(things[half:])

    def _land(self) -> None:
        batch, future = self._flying.popleft()
        for item, error in zip(batch.items, future.result(), strict=True):
            if error is None:
                self.landed(item)
            else:
                reason = _PLACE_IN_CALL.sub("", error.message)
                for line in item.lines:
                    self._reject(line, reason)
        self._progress()

    def _settle(self) -> None:
        """Counts what was on its way when the import had to end."""
        while self._flying:
            with contextlib.suppress(SegserverError):
                self._land()

    def _reject(self, line: int, reason: str) -> None:
        row = RejectedRow(line, reason)
        self.report.rejected_count += 1
        if len(self.report.rejected) < REPORTED_MAX:
            self.report.rejected.append(row)
        self._on_rejected(row)


def characters(values: Mapping[str, Value]) -> int:
    """About how long named values are in a message."""
    return sum(
        len(name)
        + (len(value) if isinstance(value, str) else sum(map(len, value)) if isinstance(value, tuple) else 12)
        for name, value in values.items()
    )
