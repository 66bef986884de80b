"""The audit log's rows. What they mean, and whether they are true, is the business of
:mod:`segserver.audit`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from segserver.errors import IntegrityError
from segserver.storage.sqlite.database import sqlite3, unavailable

if TYPE_CHECKING:
    from segserver.storage.contract import Connection

_CHUNKS = (128, 32, 8, 4, 2, 1)
_INSERTS = {
    rows: "INSERT INTO log_entries (log_index, hashes, payload) VALUES " + ", ".join(["(?, ?, ?)"] * rows)
    for rows in _CHUNKS
}
"""Statements for so many rows at once; any number of rows needs few of them, and each stays prepared."""

_MOVE_HEAD = (
    "INSERT INTO log_head (id, size, root) VALUES (1, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET size = excluded.size, root = excluded.root"
)


def head(connection: Connection) -> tuple[int, bytes] | None:
    """The log's size and root; ``None`` before the first entry."""
    row: tuple[int, bytes] | None = connection.execute("SELECT size, root FROM log_head").fetchone()
    return row


def append(connection: Connection, rows: Iterable[tuple[int, bytes, bytes]], size: int, root: bytes) -> None:
    """Adds rows (log index, hashes, payload) and moves the head, inside the caller's transaction.

    Rows go in by statements of many rows each: the interpreter is handed to another thread at every
    statement, and under load each handing over costs more than a row. One statement for rows and head, by a
    trigger that reads them from JSON, was measured too: 21 µs an entry instead of 11 in groups of 64, and no
    gain in groups of one.
    """
    values = [value for row in rows for value in row]
    start = 0
    for rows_each in _CHUNKS:
        end = start + 3 * rows_each
        while end <= len(values):
            connection.execute(_INSERTS[rows_each], values[start:end])
            start, end = end, end + 3 * rows_each
    connection.execute(_MOVE_HEAD, [size, root])


def hashes(connection: Connection, log_index: int) -> bytes | None:
    """The hashes stored with one entry."""
    row = connection.execute("SELECT hashes FROM log_entries WHERE log_index = ?", [log_index]).fetchone()
    return row[0] if row else None


def payload(connection: Connection, log_index: int) -> tuple[bytes | None] | None:
    """One entry's payload in a tuple; ``(None,)`` when it was pruned, ``None`` when there is no such row."""
    row: tuple[bytes | None] | None = connection.execute(
        "SELECT payload FROM log_entries WHERE log_index = ?", [log_index]
    ).fetchone()
    return row


Row: TypeAlias = tuple[int, bytes, bytes | None]
"""Log index, hashes, payload."""

SCAN_ROWS = 256
"""Few enough that payloads stay in the processor's cache until they are hashed; 4096 took a third longer."""

_PASSING = {
    "SQLITE_BUSY",
    "SQLITE_CANTOPEN",
    "SQLITE_FULL",
    "SQLITE_LOCKED",
    "SQLITE_NOMEM",
    "SQLITE_READONLY",
}


@contextmanager
def reading() -> Iterator[None]:
    """Turns what SQLite raises while the log is read into an error of ours.

    :class:`Unavailable` when trying later may help, :class:`IntegrityError` when the file itself is damaged.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        # pysqlite decodes what SQLite says about a damaged schema, and that can quote the damaged bytes.
        raise IntegrityError("the database file is damaged: its schema", reason="LOG_DAMAGED") from error
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name in _PASSING or name.startswith(("SQLITE_BUSY", "SQLITE_IOERR")):
            raise unavailable(error) from error
        raise IntegrityError(f"the database file is damaged: {error}", reason="LOG_DAMAGED") from error


def scan(connection: Connection, start: int, stop: int) -> Iterator[Sequence[Row]]:
    """The rows from ``start`` up to before ``stop``, in order, :data:`SCAN_ROWS` at a time.

    Their types are what the file holds, which after tampering need not be those of :data:`Row`. Each batch
    is a statement of its own: a long scan holds no snapshot, which would keep the WAL from being reused.
    """
    for low in range(start, stop, SCAN_ROWS):
        yield connection.execute(
            "SELECT log_index, hashes, payload FROM log_entries"
            " WHERE log_index >= ? AND log_index < ? ORDER BY log_index",
            [low, min(low + SCAN_ROWS, stop)],
        ).fetchall()


def extent(connection: Connection) -> tuple[object, object, int, int]:
    """The head's size and root (``None`` without one), the highest log index (-1 without rows) and the size
    of the newest checkpoint (0 without one), all of one moment.
    """
    row: tuple[object, object, int, int] = connection.execute(
        "SELECT (SELECT size FROM log_head), (SELECT root FROM log_head),"
        " (SELECT coalesce(max(log_index), -1) FROM log_entries),"
        " (SELECT coalesce(max(size), 0) FROM log_checkpoints)"
    ).fetchone()
    return row


def add_checkpoint(connection: Connection, size: int, note: str) -> None:
    """Keeps a signed checkpoint."""
    connection.execute("INSERT INTO log_checkpoints (size, note) VALUES (?, ?)", [size, note])


def newest_checkpoint(connection: Connection) -> str | None:
    """The signed checkpoint with the largest size."""
    row = connection.execute("SELECT note FROM log_checkpoints ORDER BY size DESC LIMIT 1").fetchone()
    return row[0] if row else None


def checkpoint_size(connection: Connection) -> int:
    """The size of the newest checkpoint; 0 when there is none."""
    row: tuple[int] = connection.execute("SELECT coalesce(max(size), 0) FROM log_checkpoints").fetchone()
    return row[0]


def checkpoints(connection: Connection, after: int, upto: int) -> Iterator[tuple[int, str]]:
    """The checkpoints (size, note) of more than ``after`` and at most ``upto`` entries, by size."""
    while rows := connection.execute(
        "SELECT size, note FROM log_checkpoints WHERE size > ? AND size <= ? ORDER BY size LIMIT ?",
        [after, upto, SCAN_ROWS],
    ).fetchall():
        yield from rows
        after = rows[-1][0]


def prunes(connection: Connection) -> Sequence[int]:
    """Where the entries are that record a prune."""
    return [row[0] for row in connection.execute("SELECT log_index FROM log_prunes ORDER BY log_index")]


def add_prune(connection: Connection, log_index: int) -> None:
    """Notes that this entry records a prune."""
    connection.execute("INSERT INTO log_prunes (log_index) VALUES (?)", [log_index])


def drop_payloads(connection: Connection, start: int, stop: int) -> int:
    """Drops the payloads of the entries from ``start`` up to before ``stop``; returns how many there were."""
    cursor = connection.execute(
        "UPDATE log_entries SET payload = NULL"
        " WHERE log_index >= ? AND log_index < ? AND payload IS NOT NULL",
        [start, stop],
    )
    dropped: int = cursor.rowcount
    return dropped


def first_payload(connection: Connection, start: int) -> int | None:
    """The first entry from ``start`` on that has a payload."""
    row = connection.execute(
        "SELECT log_index FROM log_entries WHERE log_index >= ? AND payload IS NOT NULL ORDER BY "
        "log_index LIMIT 1",
        [start],
    ).fetchone()
    return row[0] if row else None
