"""Opening the database file: a safe library version, the right pragmas, the current schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from segserver.errors import FailedPrecondition, Unavailable
from segserver.storage.sqlite.library import Utils
from segserver.storage.sqlite.library import sqlite3 as sqlite3

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlite_utils.migrations import Migrations

Connection: TypeAlias = sqlite3.Connection

WAL_RESET_FIXED = (3, 51, 3)
WAL_RESET_INTRODUCED = (3, 7, 0)
"""Between these versions, two connections on one file can lose a committed write when the WAL is reset
(https://www.sqlite.org/wal.html, "the WAL-reset bug")."""

BUSY_TIMEOUT_MS = 5_000


def check_library(version: str) -> None:
    """Raises :class:`FailedPrecondition` when this SQLite version can lose committed writes."""
    number = tuple(int(part) for part in version.split("."))
    if WAL_RESET_INTRODUCED <= number < WAL_RESET_FIXED:
        fixed = ".".join(map(str, WAL_RESET_FIXED))
        raise FailedPrecondition(
            f"SQLite {version} has the WAL-reset bug, which can lose committed writes; "
            f"segserver needs {fixed} or newer: install pysqlite3, which carries one",
            reason="SQLITE_VERSION_AFFECTED",
            metadata={"version": version},
        )


class Database:
    """One SQLite file with its schema.

    Raises :class:`FailedPrecondition` for an affected library, :class:`Unavailable` when the file can't be
    opened or is not a database."""

    def __init__(self, path: Path, migrations: Iterable[Migrations]) -> None:
        check_library(sqlite3.sqlite_version)
        self.path = path
        connection = self.connect()
        try:
            utils = Utils(connection)
            for migration_set in migrations:
                migration_set.apply(utils)
        except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter: a damaged schema, quoted
            raise unavailable(error) from error
        finally:
            connection.close()

    def connect(self, *, read_only: bool = False) -> Connection:
        """A new connection: WAL, ``synchronous=FULL`` (a commit is on disk), foreign keys, freed pages
        overwritten.

        It may be used from any one thread at a time.
        """
        try:
            connection: Connection = sqlite3.connect(
                str(self.path), timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("PRAGMA mmap_size=268435456")
            if read_only:
                connection.execute("PRAGMA query_only=ON")
        except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter: a damaged schema, quoted
            raise unavailable(error) from error
        return connection


def unavailable(error: Exception) -> Unavailable:
    """What SQLite said, as the error that a caller gets. SQLite's messages name no data."""
    code = getattr(error, "sqlite_errorname", type(error).__name__)
    return Unavailable(
        f"the store can't be used: {error}", reason="STORE_UNAVAILABLE", metadata={"sqlite": code}
    )
