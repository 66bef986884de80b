"""Reading for the event loop from a PostgreSQL server: some threads, each with a connection of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from segserver.storage import contract
from segserver.storage.postgres.connection import Connection

T = TypeVar("T")

READERS = 4
"""Under load, one read serves many callers: a few connections are enough, and a server has few to give."""


class PoolReader:
    """Reads on threads, so that a slow server or network holds up no other caller."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._own = threading.local()
        self._opened: list[Connection] = []
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="segserver-reader")

    async def read(self, work: Callable[[contract.Connection], T], /) -> T:
        """What ``work`` finds. Raises what it raises, and :class:`Unavailable`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)

    def close(self) -> None:
        """Finishes what was begun, then closes every connection."""
        self._threads.shutdown()
        for connection in self._opened:
            connection.close()

    def _run(self, work: Callable[[contract.Connection], T]) -> T:
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._connect()
            self._opened.append(connection)
        return work(connection)
