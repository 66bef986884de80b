"""The store of an installation, opened: a reader for the event loop, a writer that logs in the same
transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

from segserver.audit.log import Log
from segserver.config import Config
from segserver.storage.contract import Connection, Database
from segserver.storage.sqlite import Database as File
from segserver.storage.writer import Writer


@dataclass(frozen=True, slots=True)
class Store:
    """An open store. ``reader`` belongs to one thread; :meth:`connect` makes another."""

    database: Database
    reader: Connection
    writer: Writer

    def connect(self) -> Connection:
        """A further read-only connection, for another thread. The caller closes it."""
        return self.database.connect(read_only=True)

    def close(self) -> None:
        """Finishes what was submitted, then closes."""
        self.writer.close()
        self.reader.close()


def open_store(config: Config) -> Store:
    """Opens the store of ``config``, with the current schema.

    Raises :class:`FailedPrecondition` for an affected SQLite library, :class:`Unavailable` when the store
    can't be used."""
    database = File(config.database_path)
    writer = Writer(database, Log().append)
    try:
        return Store(database, database.connect(read_only=True), writer)
    except BaseException:
        writer.close()
        raise
