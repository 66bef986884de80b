"""What the server does beside answering: it removes expired values, events and lists, and wraps data keys
again after a rotation.

Both can be cut off at any moment and begun again: what remains to be done is read from the rows themselves.
Several processes on one store may do it at once; each unit of work looks again at what it changes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial

import structlog

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.catalog import Catalog
from segserver.config import UpkeepSettings
from segserver.engine.behavior import retention_us
from segserver.engine.histories import Histories
from segserver.engine.lists import IDLE_US
from segserver.engine.serving import Serving
from segserver.engine.store import Store
from segserver.errors import IntegrityError, SegserverError, Unavailable
from segserver.privacy.keys import Keys
from segserver.privacy.rights import Aging, Rights, Swept
from segserver.privacy.vault import Subject
from segserver.storage.contract import Connection
from segserver.storage.lists import ListRow, Lists

log = structlog.get_logger("segserver.engine")

SWEEPER = "segserver/sweep"
REST_S = 0.002
"""The pause after each piece of work, a few milliseconds long, so that answers wait for one piece at most."""


class Upkeep:
    """A thread that works in small pieces, with rests, until it is closed."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        rights: Rights,
        histories: Histories,
        serving: Callable[[], Serving],
        settings: UpkeepSettings,
        now_us: Callable[[], int],
    ) -> None:
        self._store = store
        self._keys = keys
        self._rights = rights
        self._histories = histories
        self._lists = Lists()
        self._serving = serving
        self._settings = settings
        self._now_us = now_us
        self.trouble: SegserverError | None = None
        """Why the keys could not be looked after, at the last attempt."""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def key_created_us(self) -> int | None:
        """When the current key-encryption key was made; ``None`` where the keyring does not say."""
        return self._keys.created_us

    def start(self) -> None:
        """Begins, with what a former process left undone."""
        self._thread = threading.Thread(target=self._run, name="segserver-upkeep", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finishes the piece at hand, then stops. Call it before the store is closed."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def rewrap(self) -> int:
        """Wraps data keys under the current version until none remains, or it is closed; how many."""
        done = 0
        with closing(self._store.connect()) as connection:
            while not self._keys.is_wrapped(connection):
                wrapped = int(self._store.writer.write_blocking(self._keys.rewrap).result)
                done += wrapped
                if not wrapped or self._rest():
                    break
        return done

    def sweep(self) -> int:
        """Removes every value, event and list that has expired by now, unless it is closed before; how many
        subjects and lists had some.

        Each of them gets an entry that names what it was. The write-ahead log is emptied afterwards, so that
        it does not keep what was removed.
        """
        serving, now_us = self._serving(), self._now_us()
        gate, aging = serving.gate, self._aging(serving.catalog, now_us)
        done = self._sweep_lists(now_us)
        with closing(self._store.connect()) as connection:
            for page in self._rights.expired(connection, gate, now_us, self._rest, aging):
                work = self._rights.sweep(page, gate, now_us, aging)
                done += len(self._store.writer.write_blocking(work, self._entries).result)
        if done:
            self._store.database.forget()
        return done

    def _aging(self, catalog: Catalog, now_us: int) -> Aging:
        """The events that are past their retention. Those of a name that the catalog declares no more have
        none that is known: they stay until they are erased. What does not open stays, too, and keeps nothing
        else from being removed.
        """
        histories, summary = self._histories, catalog.behavior.program.summarize
        floors = {event: now_us - kept for event, kept in retention_us(catalog, catalog.events).items()}

        def is_over(connection: Connection, subject: Subject) -> bool:
            for event, floor in floors.items():
                with suppress(IntegrityError):
                    if histories.begins_by(connection, subject, event, floor):
                        return True
            return False

        def remove(connection: Connection, subject: Subject) -> dict[str, int]:
            removed: dict[str, int] = {}
            for event, floor in floors.items():
                with suppress(IntegrityError):
                    removed[event] = histories.forget(connection, subject, event, floor, summary)
            return {event: count for event, count in removed.items() if count}

        return Aging(is_over, remove)

    def _sweep_lists(self, now_us: int) -> int:
        """Deletes the lists that have expired, which are unknown to rules already, and removes what no list
        needs; how many were deleted.
        """
        done = 0
        with closing(self._store.connect()) as connection:
            rows = self._lists.listing(connection)
        for row in rows:
            if row.expires_us is not None and row.expires_us <= now_us:
                work = partial(self._delete_list, row)
                entries = partial(self._list_entries, row)
                done += int(self._store.writer.write_blocking(work, entries).result)
        idle_since_us = now_us - IDLE_US
        while self._store.writer.write_blocking(lambda c: self._lists.drop_unused(c, idle_since_us)).result:
            if self._rest():
                break
        return done

    def _delete_list(self, row: ListRow, connection: Connection) -> bool:
        """Deletes a list, unless it was replaced or deleted since it was read."""
        return self._lists.get(connection, row.name) == row and self._lists.delete(connection, row.name)

    def _run(self) -> None:
        next_sweep = time.monotonic()
        while not self._stop.is_set():
            self.trouble = self._attempt(self.rewrap)
            if time.monotonic() >= next_sweep:
                self._attempt(self.sweep)
                next_sweep = time.monotonic() + self._settings.sweep_interval_s
            self._stop.wait(min(self._settings.rewrap_interval_s, self._settings.sweep_interval_s))

    def _attempt(self, task: Callable[[], int]) -> SegserverError | None:
        """Does a task; what fails now, and is returned, is tried again after the interval."""
        try:
            done = task()
        except SegserverError as error:
            log.error("upkeep failed", task=task.__name__, reason=error.reason)
            return error
        except Exception as error:
            log.error("upkeep failed", task=task.__name__, error=type(error).__name__)
            return Unavailable(f"{task.__name__} failed: {type(error).__name__}")
        if done:
            log.info("upkeep", task=task.__name__, done=done)
        return None

    def _rest(self) -> bool:
        return self._stop.wait(REST_S)

    def _entries(self, swept: list[Swept]) -> list[bytes]:
        return [
            self._entry(
                Kind.PROFILE_WRITTEN,
                {"expired": "true", **{f"event {name}": str(count) for name, count in item.others.items()}},
                subject=item.subject,
                read=item.attributes,
            )
            for item in swept
        ]

    def _list_entries(self, row: ListRow, deleted: bool) -> list[bytes]:
        details = {"list": row.name, "expired": "true"}
        return [self._entry(Kind.LIST_DELETED, details, subjects=row.size)] if deleted else []

    def _entry(
        self,
        kind: Kind,
        details: dict[str, str],
        subject: str = "",
        read: tuple[str, ...] = (),
        subjects: int = 0,
    ) -> bytes:
        return encode(
            Entry(
                time=timestamp_us(self._now_us()),
                kind=kind,
                caller=SWEEPER,
                subject=subject,
                read=read,
                subjects=subjects,
                catalog=self._serving().catalog.digest,
                details=details,
            )
        )
