"""Writes the rows of a file as profiles: in batches, several of them on their way at a time."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from segserver.cli._mapping import Rejected, RowMapping
from segserver.cli._rows import Rows
from segserver.client import Client, ProfileChange, ProfileWrite
from segserver.errors import InvalidInput, LimitExceeded, SegserverError

BATCH_ROWS = 1_000
"""What the server takes in one call."""

BATCH_CHARACTERS = 1_000_000
"""Keeps a message below gRPC's 4 MiB, whatever the script: a character takes four bytes at most, with names
on top.
"""

BATCHES_IN_FLIGHT = 4

REPORTED_MAX = 1_000
"""Rejected rows that are kept for the report; all are counted, and given to the listener."""


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not imported: its line, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class Report:
    """What became of the rows."""

    rows: int = 0
    written: int = 0
    rejected_count: int = 0
    rejected: list[RejectedRow] = field(default_factory=list)


@dataclass(slots=True)
class _Batch:
    lines: list[int] = field(default_factory=list)
    changes: list[ProfileChange] = field(default_factory=list)
    subjects: set[str] = field(default_factory=set)
    characters: int = 0

    def fits(self, subject: str, characters: int) -> bool:
        """Whether one more change goes in. No subject is in a batch twice: its rows must land in their
        order.
        """
        return (
            len(self.changes) < BATCH_ROWS
            and self.characters + characters <= BATCH_CHARACTERS
            and subject not in self.subjects
        )


class Importer:
    """Imports rows through a client. An interrupted import is repeated from the start: writing a row twice
    is writing it once.

    ``progress`` is called after each batch, ``on_rejected`` for each rejected row.
    """

    def __init__(
        self,
        client: Client,
        mapping: RowMapping,
        progress: Callable[[], None],
        on_rejected: Callable[[RejectedRow], None],
        *,
        dry_run: bool = False,
    ) -> None:
        self.report = Report()
        self._client = client
        self._mapping = mapping
        self._progress = progress
        self._on_rejected = on_rejected
        self._dry_run = dry_run
        self._flying: deque[tuple[_Batch, Future[list[SegserverError | None]]]] = deque()

    def run(self, rows: Rows) -> Report:
        """Imports all rows, and says what became of them.

        Raises:
            SegserverError: when the server can't go on; the rows before have landed, and the report counts
            them.
        """
        with ThreadPoolExecutor(BATCHES_IN_FLIGHT, "import") as threads:
            try:
                batch = _Batch()
                for line, change in self._changes(rows):
                    subject, size = str(getattr(change.subject, "id", change.subject)), _characters(change)
                    if not batch.fits(subject, size):
                        self._send(threads, batch)
                        batch = _Batch()
                    batch.lines.append(line)
                    batch.changes.append(change)
                    batch.subjects.add(subject)
                    batch.characters += size
                self._send(threads, batch)
                while self._flying:
                    self._land()
            except SegserverError:
                self._settle()
                raise
        return self.report

    def _changes(self, rows: Rows) -> Iterator[tuple[int, ProfileChange]]:
        for row in rows.rows:
            self.report.rows += 1
            if row.cells is None:
                self._reject(row.line, row.problem)
                continue
            try:
                change = self._mapping.change(self.report.rows, row.cells, rows.read_cell)
            except Rejected as rejected:
                self._reject(row.line, str(rejected))
                continue
            yield row.line, change

    def _send(self, threads: ThreadPoolExecutor, batch: _Batch) -> None:
        if not batch.changes:
            return
        if any(not flying.subjects.isdisjoint(batch.subjects) for flying, _ in self._flying):
            while self._flying:
                self._land()
        while len(self._flying) >= BATCHES_IN_FLIGHT:
            self._land()
        self._flying.append((batch, threads.submit(self._write, batch.changes)))

    def _write(self, changes: list[ProfileChange]) -> list[SegserverError | None]:
        """For each change the error it met, or ``None``. A batch that is refused as a whole is tried in
        halves, so
        that one row that no message can hold costs itself only."""
        if self._dry_run:
            return [None] * len(changes)
        try:
            results = self._client.upsert_profiles(changes)
        except (InvalidInput, LimitExceeded) as error:
            if len(changes) == 1:
                return [error]
            half = len(changes) // 2
            return self._write(changes[:half]) + self._write(changes[half:])
        return [None if isinstance(result, ProfileWrite) else result for result in results]

    def _land(self) -> None:
        batch, future = self._flying.popleft()
        for line, error in zip(batch.lines, future.result(), strict=True):
            if error is None:
                self.report.written += 1
            else:
                self._reject(line, error.message)
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


def _characters(change: ProfileChange) -> int:
    """About how long the change is as a message."""
    return sum(
        len(name)
        + (len(value) if isinstance(value, str) else sum(map(len, value)) if isinstance(value, tuple) else 12)
        for name, value in change.attributes.items()
    )
