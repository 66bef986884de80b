"""The store of an installation, opened: a reader for the event loop, a writer that logs in the same
transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from segserver.audit.log import Log
from segserver.config import Config
from segserver.errors import FailedPrecondition
from segserver.storage.contract import Connection, Database, Reader
from segserver.storage.sqlite import Database as File
from segserver.storage.writer import Writer

if TYPE_CHECKING:
    from segserver.storage.postgres import Database as Server


@dataclass(frozen=True, slots=True)
class Store:
    """An open store. ``reads`` is for the event loop; ``reader`` belongs to one thread, for the start and for
    commands; :meth:`connect` makes another.
    """

    database: Database
    reads: Reader
    reader: Connection
    writer: Writer

    def connect(self) -> Connection:
        """A further read-only connection, for another thread. The caller closes it."""
        return self.database.connect(read_only=True)

    def close(self) -> None:
        """Finishes what was submitted, then closes."""
        self.writer.close()
        self.reads.close()
        self.reader.close()


def has_store(config: Config) -> bool:
    """Whether the store of ``config`` has been made. Raises what :func:`open_database` raises."""
    url = config.store.get_secret_value()
    return _server().exists(url) if url else config.database_path.exists()


def open_database(config: Config) -> Database:
    """The store of ``config`` with the current schema: the PostgreSQL database, or the file.

    Raises :class:`FailedPrecondition` for an affected SQLite library, a PostgreSQL server that can't keep the
    store, or a missing driver; :class:`Unavailable` when the store can't be used."""
    url = config.store.get_secret_value()
    return _server()(url) if url else File(config.database_path)


def open_unchanged(config: Config) -> Connection:
    """A read-only connection to a store whose schema is left as it is: to look at one that may be damaged.

    Raises what :func:`open_database` raises."""
    url = config.store.get_secret_value()
    database: Database = _server()(url, []) if url else File(config.database_path, [])
    return database.connect(read_only=True)


def open_store(config: Config) -> Store:
    """Opens the store of ``config``. Raises what :func:`open_database` raises."""
    database = open_database(config)
    writer = Writer(database, Log().append)
    try:
        return Store(database, database.reader(), database.connect(read_only=True), writer)
    except BaseException:
        writer.close()
        raise


def _server() -> type[Server]:
    """The PostgreSQL store's class, whose driver need not be installed."""
    try:
        from segserver.storage.postgres import Database
    except ImportError as error:
        raise FailedPrecondition(
            "a PostgreSQL store needs its driver: pip install 'segserver[postgres]'",
            reason="POSTGRES_DRIVER_MISSING",
        ) from error
    return Database
