"""What the server does beside answering: it removes expired values, and wraps data keys again after a
rotation.

Both can be cut off at any moment and begun again: what remains to be done is read from the rows themselves.
Several processes on one store may do it at once; each unit of work looks again at what it changes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing

import structlog

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.config import UpkeepSettings
from segserver.engine.serving import Serving
from segserver.engine.store import Store
from segserver.errors import SegserverError, Unavailable
from segserver.privacy.keys import Keys
from segserver.privacy.rights import Rights, Swept

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
        serving: Callable[[], Serving],
        settings: UpkeepSettings,
        now_us: Callable[[], int],
    ) -> None:
        self._store = store
        self._keys = keys
        self._rights = rights
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
        """Removes every value that has expired by now, unless it is closed before; how many subjects had
        some.

        Each subject gets an entry that names the attributes. The write-ahead log is emptied afterwards, so
        that it does not keep what was removed.
        """
        gate, now_us = self._serving().gate, self._now_us()
        done = 0
        with closing(self._store.connect()) as connection:
            for page in self._rights.expired(connection, gate, now_us, self._rest):
                work = self._rights.sweep(page, gate, now_us)
                done += len(self._store.writer.write_blocking(work, self._entries).result)
        if done:
            self._store.database.forget()
        return done

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
            log.info("upkeep", task=task.__name__, subjects=done)
        return None

    def _rest(self) -> bool:
        return self._stop.wait(REST_S)

    def _entries(self, swept: list[Swept]) -> list[bytes]:
        time_text, digest = timestamp_us(self._now_us()), self._serving().catalog.digest
        return [
            encode(
                Entry(
                    time=time_text,
                    kind=Kind.PROFILE_WRITTEN,
                    caller=SWEEPER,
                    subject=item.subject,
                    read=item.attributes,
                    catalog=digest,
                    details={"expired": "true"},
                )
            )
            for item in swept
        ]
