"""Opening the database file: a safe library version, the right pragmas, the current schema."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from segserver.errors import FailedPrecondition, IntegrityError, SegserverError, Unavailable
from segserver.storage import contract
from segserver.storage.contract import Table
from segserver.storage.sqlite.library import Utils
from segserver.storage.sqlite.library import sqlite3 as sqlite3
from segserver.storage.sqlite.schema import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlite_utils.migrations import Migrations

Connection: TypeAlias = sqlite3.Connection
T = TypeVar("T")

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

    def __init__(self, path: Path, migrations: Iterable[Migrations] = MIGRATIONS) -> None:
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

    def reader(self) -> LoopReader:
        """What the event loop reads through."""
        return LoopReader(self.connect(read_only=True))

    def session(self) -> FileSession:
        """What a writer writes through."""
        return FileSession(self.path, self.connect())

    def tables(self) -> Sequence[Table]:
        """Every table, by name."""
        connection = self.connect(read_only=True)
        try:
            return tables(connection)
        finally:
            connection.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection in a read transaction. As long as it lasts, the write-ahead log grows."""
        connection = self.connect(read_only=True)
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()

    def write_copy(self, path: Path) -> None:
        """Writes the store as it is at this moment to an empty file, without its free pages.

        Holds up no writer. Raises :class:`Unavailable`."""
        connection = self.connect()
        try:
            connection.execute("VACUUM INTO ?", [str(path)])
        except sqlite3.Error as error:
            raise unavailable(error) from error
        finally:
            connection.close()

    def adopt(self, connection: contract.Connection) -> None:
        """Nothing: SQLite numbers rows after the greatest one that is there."""

    def forget(self) -> bool:
        """Moves the write-ahead log into the database file and empties it, so that no old page stays behind
        in it; freed bytes of the file are overwritten already (``secure_delete``).

        Whether it could: a reader in the middle of a statement keeps it from doing so.
        """
        connection = self.connect()
        try:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()
        return not busy


def tables(connection: Connection) -> Sequence[Table]:
    """The tables of a file, by name; SQLite's own and sqlite-utils' are left out."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    found = []
    for (name,) in rows:
        if not name.startswith(("sqlite_", "_sqlite")):
            columns = connection.execute("SELECT name, pk FROM pragma_table_info(?)", [name]).fetchall()
            key = sorted((place, column) for column, place in columns if place)
            found.append(
                Table(name, tuple(column for column, _ in columns), tuple(column for _, column in key))
            )
    return found


def check_whole(connection: Connection) -> None:
    """Reads the whole file. Raises :class:`IntegrityError` when its structure is damaged."""
    try:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise IntegrityError("the file is damaged", reason="FILE_DAMAGED") from error
    if found != ("ok",):
        raise IntegrityError("the file is damaged", reason="FILE_DAMAGED")


def open_copy(path: Path) -> Connection:
    """A file that nobody writes, opened so that nothing of it or beside it changes.

    Raises :class:`Unavailable` when it can't be opened."""
    check_library(sqlite3.sqlite_version)
    try:
        connection: Connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("SELECT count(*) FROM sqlite_master")
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise unavailable(error) from error
    return connection


def unavailable(error: Exception) -> Unavailable:
    """What SQLite said, as the error that a caller gets. SQLite's messages name no data."""
    code = getattr(error, "sqlite_errorname", type(error).__name__)
    return Unavailable(
        f"the store can't be used: {error}", reason="STORE_UNAVAILABLE", metadata={"sqlite": code}
    )


class LoopReader:
    """Reads on the event loop itself: an indexed row of a WAL database costs less than handing it to a
    thread.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def read(self, work: Callable[[Connection], T], /) -> T:
        """What ``work`` finds. Raises what it raises."""
        return work(self._connection)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


class FileSession:
    """The write connection to a file. ``BEGIN IMMEDIATE`` waits until no other process writes."""

    def __init__(self, path: Path, connection: Connection) -> None:
        self.connection = connection
        self._path = path
        self._file = _identity(path)

    def begin(self) -> None:
        """Begins a transaction.

        Raises :class:`Unavailable` when the file is no longer at its place: SQLite would go on writing to
        what nobody can open again.
        """
        if _identity(self._path) != self._file:
            raise Unavailable(
                "the database file was removed or replaced while it was open: put it back, and restart",
                reason="STORE_REPLACED",
            )
        self.rollback()  # of a transaction that could not be undone when it failed: the disk may be back
        self.connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Commits; the transaction is on disk then."""
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        """Undoes what is not committed. One that fails as well has nothing to undo."""
        with contextlib.suppress(sqlite3.Error):
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def is_fatal(self, error: Exception) -> bool:
        """Whether the file, the disk or memory is at fault, and not the statement."""
        return isinstance(error, sqlite3.OperationalError)

    def translated(self, error: Exception) -> Exception:
        """What SQLite raised, as :class:`Unavailable`."""
        return error if isinstance(error, SegserverError) else unavailable(error)

    def close(self) -> None:
        """Closes the connection."""
        self.connection.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """The device and inode of a file; ``None`` when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
