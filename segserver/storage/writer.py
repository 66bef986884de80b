"""The one writer of a process: group commit, with the audit entries in the same transaction.

A unit of work and the audit entries that tell of it become durable together or not at all. While one group is
being flushed to disk, the next one gathers: under load, one ``fdatasync`` (about 170 µs) serves many callers.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from segserver.errors import SegserverError, Unavailable
from segserver.observe.counts import Commits
from segserver.storage.contract import Connection, Database

GROUP_UNITS_MAX = 256
QUEUE_UNITS_MAX = 16_384

GATHER_S = 0.002
"""How long a group gathers when the one before it held more than one unit: a commit costs the processor as
much as several evaluations, so under load it is worth waiting for company. A lone write never waits. """

Work = Callable[[Connection], Any]
Entries = Sequence[bytes] | Callable[[Any], Sequence[bytes]]
"""The audit entries of a unit, or what makes them from the result of its work."""
Appender = Callable[[Connection, Sequence[bytes]], Sequence[int]]
"""Appends audit payloads in the connection's transaction; returns one log index for each, in order."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a durable unit left: the result of its work and the log index of each of its entries."""

    result: Any
    indexes: Sequence[int]


class Unit:
    """Work to do in one transaction, with the audit entries that go with it, and who waits for it."""

    __slots__ = ("entries", "future", "loop", "outcome", "work")

    def __init__(
        self,
        work: Work | None,
        entries: Entries,
        future: asyncio.Future[Receipt] | Future[Receipt],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.work = work
        self.entries = entries
        self.future = future
        self.loop = loop
        """The event loop that ``future`` belongs to; ``None`` for a thread that waits."""
        self.outcome: Receipt | BaseException | None = None

    def resolve(self) -> None:
        """Tells who waits. Call it on the event loop, where there is one."""
        if self.future.done():
            return
        if isinstance(self.outcome, Receipt):
            self.future.set_result(self.outcome)
        else:
            self.future.set_exception(self.outcome or Unavailable("the writer is closed"))


class Writer:
    """A thread that owns the write connection.

    A unit whose work raises is rolled back alone; the others of its group go on. When the commit itself fails
    (disk full, read-only, I/O error, connection lost), every unit of the group gets :class:`Unavailable` and
    nothing of it is stored; ``trouble`` is why, until a commit succeeds again."""

    def __init__(self, database: Database, append: Appender) -> None:
        self._session = database.session()
        self._append = append
        self._queue: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._closed = False
        self.commits = Commits()
        self.trouble: SegserverError | None = None
        self._thread = threading.Thread(target=self._run, name="segserver-writer", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """How many units wait."""
        return self._queue.qsize()

    async def write(self, work: Work | None = None, entries: Entries = ()) -> Receipt:
        """Runs ``work`` and appends ``entries`` in one transaction; returns when both are on disk.

        Raises what ``work`` raises, or :class:`Unavailable`. Cancelling the caller does not undo what was
        submitted."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        self._put(Unit(work, entries, future, loop))
        return await future

    def write_blocking(self, work: Work | None = None, entries: Entries = ()) -> Receipt:
        """The same for a thread without an event loop."""
        future: Future[Receipt] = Future()
        self._put(Unit(work, entries, future))
        return future.result()

    def submit(self, work: Work) -> None:
        """Runs ``work`` in a transaction some time soon; nobody waits for it or hears of its failure.

        For what can be made anew, like a cache. Does nothing when the store is closing or has much to do."""
        with contextlib.suppress(Unavailable):
            self._put(Unit(work, (), Future()))

    def close(self) -> None:
        """Finishes what was submitted, then stops."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()
            self._session.close()

    def _put(self, unit: Unit) -> None:
        if self._closed:
            raise Unavailable("the store is closing", reason="STORE_CLOSING")
        if self._queue.qsize() >= QUEUE_UNITS_MAX:
            raise Unavailable("too many writes wait for the disk", reason="WRITE_QUEUE_FULL")
        self._queue.put(unit)

    def _run(self) -> None:
        crowded = False
        while (unit := self._queue.get()) is not None:
            if crowded:
                time.sleep(GATHER_S)
            group = [unit]
            last = False
            while len(group) < GROUP_UNITS_MAX:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                    break
                group.append(more)
            crowded = len(group) > 1
            self._commit(group)
            _tell(group)
            if last:
                return

    def _commit(self, group: Sequence[Unit]) -> None:
        """One transaction for the group; sets the outcome of every unit."""
        session = self._session
        begin = time.perf_counter()
        try:
            session.begin()
            whole = [(unit, *done) for unit in group if (done := self._work(unit)) is not None]
            receipts = self._log(whole)
            session.commit()
        except Exception as error:
            failure = session.translated(error)
            session.rollback()
            self.commits.timing.add(time.perf_counter() - begin)
            self.commits.failures += 1
            self.trouble = failure if isinstance(failure, Unavailable) else None
            if len(group) > 1 and not isinstance(failure, Unavailable):
                self._commit_each(group)  # one unit's entry can't be logged: the others have no part in that
                return
            for unit in group:
                unit.outcome = unit.outcome or failure
            return
        self.commits.timing.add(time.perf_counter() - begin)
        self.commits.units += len(receipts)
        self.trouble = None
        for unit, receipt in receipts:
            unit.outcome = receipt

    def _commit_each(self, group: Sequence[Unit]) -> None:
        for unit in group:
            unit.outcome = None
            self._commit([unit])

    def _log(self, whole: Sequence[tuple[Unit, Any, Any]]) -> list[tuple[Unit, Receipt]]:
        """Appends the entries of units (with results and entries), and gives each its receipt."""
        indexes = iter(
            self._append(self._session.connection, [entry for _, _, entries in whole for entry in entries])
        )
        return [(unit, Receipt(result, [next(indexes) for _ in entries])) for unit, result, entries in whole]

    def _work(self, unit: Unit) -> tuple[Any, Sequence[bytes]] | None:
        """The result of a unit's work and its entries; ``None`` when the work failed and was rolled back."""
        if unit.work is None and not callable(unit.entries):
            return None, unit.entries
        connection = self._session.connection
        connection.execute("SAVEPOINT unit")
        try:
            result = unit.work(connection) if unit.work else None
            done = result, unit.entries(result) if callable(unit.entries) else unit.entries
        except Exception as error:
            if self._session.is_fatal(error):
                raise
            connection.execute("ROLLBACK TO unit")
            unit.outcome = error
            done = None
        connection.execute("RELEASE unit")
        return done


def _tell(group: Sequence[Unit]) -> None:
    """Tells everybody who waits for a unit of the group: each event loop is woken once."""
    waiting: dict[asyncio.AbstractEventLoop, list[Unit]] = {}
    for unit in group:
        if unit.loop is None:
            unit.resolve()
        else:
            waiting.setdefault(unit.loop, []).append(unit)
    for loop, units in waiting.items():
        with contextlib.suppress(RuntimeError):  # a loop that was closed meanwhile has nobody left to tell
            loop.call_soon_threadsafe(_resolve, units)


def _resolve(units: Sequence[Unit]) -> None:
    for unit in units:
        unit.resolve()
