"""The audit log's rows. What they mean, and whether they are true, is the business of
:mod:`segserver.audit`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from sqlite_utils.migrations import Migrations

if TYPE_CHECKING:
    from sqlite_utils import Database as Utils

    from segserver.storage.sqlite.database import Connection

migrations = Migrations("segserver.log")


@migrations()
def m001_create(db: Utils) -> None:
    """One row for an entry, with the hashes of every tree node that it completes; a pruned one has no
    payload.
    """
    for table in (
        "log_entries (log_index INTEGER PRIMARY KEY, hashes BLOB NOT NULL, payload BLOB)",
        "log_head (id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL, root BLOB NOT NULL)",
        "log_checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL)",
    ):
        db.execute(f"CREATE TABLE {table} STRICT")


def head(connection: Connection) -> tuple[int, bytes] | None:
    """The log's size and root; ``None`` before the first entry."""
    row: tuple[int, bytes] | None = connection.execute("SELECT size, root FROM log_head").fetchone()
    return row


def append(connection: Connection, rows: Iterable[tuple[int, bytes, bytes]], size: int, root: bytes) -> None:
    """Adds rows (log index, hashes, payload) and moves the head, inside the caller's transaction."""
    connection.executemany("INSERT INTO log_entries (log_index, hashes, payload) VALUES (?, ?, ?)", rows)
    connection.execute("INSERT OR REPLACE INTO log_head (id, size, root) VALUES (1, ?, ?)", [size, root])


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


def scan(connection: Connection, start: int, stop: int) -> Iterator[Sequence[Row]]:
    """The rows from ``start`` up to before ``stop``, in order, a thousand at a time."""
    cursor = connection.execute(
        "SELECT log_index, hashes, payload FROM log_entries"
        " WHERE log_index >= ? AND log_index < ? ORDER BY log_index",
        [start, stop],
    )
    while rows := cursor.fetchmany(1000):
        yield rows
