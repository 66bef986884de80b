"""The audit log's rows. What they mean, and whether they are true, is the business of
:mod:`segserver.audit`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from segserver.errors import IntegrityError
from segserver.storage.sqlite.database import sqlite3, unavailable

if TYPE_CHECKING:
    from segserver.storage.contract import Connection

GROUP_ENTRIES = 64
"""A row holds entries of one such span of log indexes, those that were appended together: few enough to read
one of them quickly, many enough that a row costs little for each.
"""

Row: TypeAlias = tuple[int, bytes, bytes | None]
"""Log index, hashes, payload."""

SCAN_ROWS = 256
"""A multiple of the span of a group. Few enough that payloads stay in the processor's cache until they are
hashed; 4096 took a third longer.
"""

_LENGTHS = [struct.Struct(f">{entries}I") for entries in range(GROUP_ENTRIES + 1)]
_INSERT = "INSERT INTO log_groups (first, entries, hashes, payloads) VALUES (?, ?, ?, ?)"
_MOVE_HEAD = (
    "INSERT INTO log_head (id, size, root) VALUES (1, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET size = excluded.size, root = excluded.root"
)


def head(connection: Connection) -> tuple[int, bytes] | None:
    """The log's size and root; ``None`` before the first entry."""
    row: tuple[int, bytes] | None = connection.execute("SELECT size, root FROM log_head").fetchone()
    return row


def append(
    connection: Connection, first: int, hashes: Sequence[bytes], payloads: Sequence[bytes], root: bytes
) -> None:
    """Adds entries from log index ``first`` on and moves the head, inside the caller's transaction.

    A row for each entry was measured, too: in groups of 64, an entry took 16 µs of the processor instead of
    9, and a quarter more of the disk.
    """
    size = first + len(payloads)
    cuts = [first, *range(first - first % GROUP_ENTRIES + GROUP_ENTRIES, size, GROUP_ENTRIES), size]
    connection.executemany(
        _INSERT,
        [
            (
                low,
                high - low,
                pack(hashes[low - first : high - first]),
                pack(payloads[low - first : high - first]),
            )
            for low, high in pairwise(cuts)
        ],
    )
    connection.execute(_MOVE_HEAD, [size, root])


def hashes(connection: Connection, log_index: int) -> bytes | None:
    """The hashes stored with one entry. Raises :class:`IntegrityError` for a malformed row."""
    row = connection.execute(
        "SELECT first, entries, hashes FROM log_groups WHERE first <= ? ORDER BY first DESC LIMIT 1",
        [log_index],
    ).fetchone()
    if row is None:
        return None
    first, found = row[0], _unpack(*row)
    return found[log_index - first] if log_index < first + len(found) else None


def payloads(connection: Connection, log_indexes: Iterable[int]) -> Iterator[tuple[int, bytes | None]]:
    """These entries' log indexes and payloads (``None`` when pruned), in the order asked for. An entry that
    is not there is left out; neighbours are read together.

    Raises :class:`IntegrityError` for a malformed row.
    """
    first: int = 0
    found: Sequence[bytes | None] = ()
    for log_index in log_indexes:
        if not first <= log_index < first + len(found):
            row = connection.execute(
                "SELECT first, entries, payloads FROM log_groups"
                " WHERE first <= ? ORDER BY first DESC LIMIT 1",
                [log_index],
            ).fetchone()
            first, found = (row[0], _unpack(*row)) if row else (0, ())
        if first <= log_index < first + len(found):
            yield log_index, found[log_index - first]


def payload(connection: Connection, log_index: int) -> tuple[bytes | None] | None:
    """One entry's payload in a tuple: ``(None,)`` when it was pruned; ``None`` when there is no such one."""
    return next(((found,) for _, found in payloads(connection, [log_index])), None)


def pack(items: Sequence[bytes]) -> bytes:
    """What a row keeps of its entries' payloads, or of their hashes: a single one as it is; of several, four
    bytes for the length of each (unsigned, the highest byte first), then all of them, one after the other.
    """
    if len(items) == 1:
        return items[0]
    return b"".join([_LENGTHS[len(items)].pack(*map(len, items)), *items])


def _unpack(first: int, entries: int, stored: bytes | None) -> Sequence[Any]:
    """The items that :func:`pack` has put together; ``None`` for each when they were pruned.

    Raises :class:`IntegrityError` for what it can't have put together.
    """
    if entries == 1:
        return (stored,)
    try:
        if not 0 < entries <= GROUP_ENTRIES - first % GROUP_ENTRIES:
            raise ValueError
        if stored is None:
            return [None] * entries
        lengths = _LENGTHS[entries].unpack_from(stored)
        if 4 * entries + sum(lengths) != len(stored):
            raise ValueError
    except (struct.error, TypeError, ValueError):
        raise IntegrityError(
            f"the stored row of entry {first} is malformed",
            reason="LOG_DAMAGED",
            metadata={"log_index": str(first)},
        ) from None
    return [stored[start:end] for start, end in pairwise(accumulate(lengths, initial=4 * entries))]


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
    """The entries from ``start`` up to before ``stop``, in order, some :data:`SCAN_ROWS` at a time.

    What was deleted is missing, and what was added is there twice. Their types are what the store holds,
    which after tampering need not be those of :data:`Row`. Each batch is a statement of its own: a long scan
    holds no snapshot, which would keep the WAL from being reused.

    Raises :class:`IntegrityError` for a malformed row, once the entries before it were given.
    """
    for low in range(start - start % SCAN_ROWS, stop, SCAN_ROWS):
        rows: list[Row] = []
        for first, entries, stored, payloads in connection.execute(
            "SELECT first, entries, hashes, payloads FROM log_groups"
            " WHERE first >= ? AND first < ? ORDER BY first",
            [low, min(low + SCAN_ROWS, stop)],
        ).fetchall():
            if entries == 1:
                rows.append((first, stored, payloads))
                continue
            try:
                rows += zip(
                    range(first, first + entries),
                    _unpack(first, entries, stored),
                    _unpack(first, entries, payloads),
                    strict=True,
                )
            except IntegrityError:
                yield _between(rows, start, stop)
                raise
        yield _between(rows, start, stop)


def _between(rows: list[Row], start: int, stop: int) -> list[Row]:
    if rows and (rows[0][0] < start or rows[-1][0] >= stop):
        return [row for row in rows if start <= row[0] < stop]
    return rows


def extent(connection: Connection) -> tuple[object, object, int, int, int]:
    """The head's size and root (``None`` without one), the lowest log index (0 without rows) and the highest
    (-1), and the size of the newest checkpoint (0 without one), all of one moment.
    """
    row: tuple[object, object, int, int, int] = connection.execute(
        "SELECT (SELECT size FROM log_head), (SELECT root FROM log_head),"
        " (SELECT coalesce(min(first), 0) FROM log_groups),"
        " coalesce((SELECT first + entries - 1 FROM log_groups ORDER BY first DESC LIMIT 1), -1),"
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


def split(connection: Connection, log_index: int) -> None:
    """Makes this entry the first one of a row."""
    row = connection.execute(
        "SELECT first, entries, hashes, payloads FROM log_groups WHERE first < ? ORDER BY first DESC LIMIT 1",
        [log_index],
    ).fetchone()
    if row is None or row[0] + row[1] <= log_index:
        return
    first, entries, *columns = row
    cut = log_index - first
    parts = [
        [None if stored is None else pack(_unpack(first, entries, stored)[part]) for stored in columns]
        for part in (slice(cut), slice(cut, None))
    ]
    connection.execute(
        "UPDATE log_groups SET entries = ?, hashes = ?, payloads = ? WHERE first = ?", [cut, *parts[0], first]
    )
    connection.execute(_INSERT, [log_index, entries - cut, *parts[1]])


def drop_payloads(connection: Connection, start: int, stop: int) -> int:
    """Drops the payloads of the entries from ``start`` up to before ``stop``; returns how many there were."""
    for edge in (start, stop):
        split(connection, edge)
    dropped = connection.execute(
        "UPDATE log_groups SET payloads = NULL"
        " WHERE first >= ? AND first < ? AND payloads IS NOT NULL RETURNING entries",
        [start, stop],
    )
    return sum(entries for (entries,) in dropped)


def first_payload(connection: Connection, start: int) -> int | None:
    """The first entry from ``start`` on that has a payload."""
    row = connection.execute(
        "SELECT first FROM log_groups WHERE first > ? AND first + entries > ? AND payloads IS NOT NULL"
        " ORDER BY first LIMIT 1",
        [start - GROUP_ENTRIES, start],
    ).fetchone()
    return max(row[0], start) if row else None
