"""Reading subjects for evaluations: what is asked for in one turn of the event loop is read by one
statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from segserver.privacy.profiles import Profiles
from segserver.storage.sqlite import Connection
from segserver.storage.sqlite.subjects import SubjectRow


class SubjectReads:
    """Gathers the reads of concurrent calls.

    A statement costs a fixed part, and hands the interpreter to the writer's thread; under load, both are
    shared by all calls of a turn. A read begins after it was asked for, so it sees every change that had
    returned by then."""

    def __init__(self, reader: Connection, profiles: Profiles) -> None:
        self._reader = reader
        self._profiles = profiles
        self._waiting: list[tuple[bytes, asyncio.Future[SubjectRow | None]]] = []

    async def get(self, subject_key: bytes) -> SubjectRow | None:
        """The row of a subject key, or of what it is an alias of. Raises :class:`Unavailable`."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._read)
        future: asyncio.Future[SubjectRow | None] = loop.create_future()
        self._waiting.append((subject_key, future))
        return await future

    def get_many(self, subject_keys: Sequence[bytes]) -> list[SubjectRow | None]:
        """The rows of many subject keys, in order, at once."""
        return self._profiles.rows(self._reader, subject_keys)

    def _read(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            rows = self.get_many([key for key, _ in waiting])
        except Exception as error:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), row in zip(waiting, rows, strict=True):
            if not future.done():
                future.set_result(row)
