"""The rows of the audit log's search index.

What a term or a position means is for :mod:`segserver.audit` to say.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segserver.storage.contract import Connection

PAGE_BLOCKS = 64
_FINGERPRINTS = "SELECT block, fingerprints FROM log_subjects WHERE block < ? ORDER BY block DESC LIMIT ?"


def block_count(connection: Connection) -> int:
    """How many blocks are indexed; they are the first ones of the log, without a gap."""
    row: tuple[int] = connection.execute("SELECT coalesce(max(block) + 1, 0) FROM log_blocks").fetchone()
    return row[0]


def add_block(
    connection: Connection,
    block: int,
    time_min: str,
    time_max: str,
    fingerprints: bytes,
    postings: Mapping[str, bytes],
) -> None:
    """Adds one block, unless another process was faster."""
    if connection.execute("SELECT 1 FROM log_blocks WHERE block = ?", [block]).fetchone():
        return
    connection.execute("INSERT INTO log_blocks VALUES (?, ?, ?)", [block, time_min, time_max])
    connection.execute("INSERT INTO log_subjects VALUES (?, ?)", [block, fingerprints])
    connection.executemany(
        "INSERT INTO log_terms (name) VALUES (?) ON CONFLICT DO NOTHING", [[name] for name in postings]
    )
    connection.executemany(
        "INSERT INTO log_postings SELECT term, ?, ? FROM log_terms WHERE name = ?",
        [(block, positions, name) for name, positions in postings.items()],
    )


def replace_block(
    connection: Connection,
    block: int,
    time_min: str,
    time_max: str,
    fingerprints: bytes,
    postings: Mapping[str, bytes],
) -> None:
    """Puts one block in place of the one that is there."""
    for table in ("log_postings", "log_blocks", "log_subjects"):
        connection.execute(f"DELETE FROM {table} WHERE block = ?", [block])
    add_block(connection, block, time_min, time_max, fingerprints, postings)


def clear_blocks(connection: Connection, below: int) -> None:
    """Empties the blocks before ``below``, whose payloads are gone."""
    connection.execute("UPDATE log_subjects SET fingerprints = ? WHERE block < ?", [b"", below])
    connection.execute("DELETE FROM log_postings WHERE block < ?", [below])


def drop_index(connection: Connection) -> None:
    """Forgets the whole index."""
    for table in ("log_postings", "log_terms", "log_blocks", "log_subjects"):
        connection.execute(f"DELETE FROM {table}")


def blocks_between(connection: Connection, after: str, before: str) -> list[int]:
    """The blocks with an entry from ``after`` to before ``before``, newest first; empty text is no bound."""
    rows = connection.execute(
        "SELECT block FROM log_blocks WHERE time_max >= ? AND (? = '' OR time_min < ?) ORDER BY block DESC",
        [after, before, before],
    )
    return [row[0] for row in rows]


def blocks_inside(connection: Connection, after: str, before: str) -> set[int]:
    """The blocks whose entries all lie from ``after`` to before ``before``; empty text is no bound."""
    rows = connection.execute(
        "SELECT block FROM log_blocks WHERE time_min >= ? AND (? = '' OR time_max < ?)",
        [after, before, before],
    )
    return {row[0] for row in rows}


def blocks_with(connection: Connection, name: str) -> set[int]:
    """The blocks in which some entry has this term."""
    rows = connection.execute(
        "SELECT block FROM log_postings WHERE term = (SELECT term FROM log_terms WHERE name = ?)", [name]
    )
    return {row[0] for row in rows}


def positions(connection: Connection, name: str, first: int, last: int) -> Sequence[tuple[int, bytes]]:
    """The blocks from ``first`` to ``last`` in which some entry has this term, and which entries have it."""
    return connection.execute(
        "SELECT block, positions FROM log_postings"
        " WHERE term = (SELECT term FROM log_terms WHERE name = ?) AND block >= ? AND block <= ?",
        [name, first, last],
    ).fetchall()


def fingerprints(connection: Connection) -> Iterator[tuple[int, bytes]]:
    """Each block with its fingerprints, newest first; :data:`PAGE_BLOCKS` (a megabyte) are one read."""
    rows = connection.execute(_FINGERPRINTS, [sys.maxsize, PAGE_BLOCKS]).fetchall()
    while rows:
        yield from rows
        rows = connection.execute(_FINGERPRINTS, [rows[-1][0], PAGE_BLOCKS]).fetchall()


def postings(connection: Connection, prefix: str) -> Sequence[tuple[str, int, bytes]]:
    """The postings (name, block, positions) of the terms that begin with ``prefix``."""
    return connection.execute(
        "SELECT name, block, positions FROM log_terms JOIN log_postings USING (term)"
        " WHERE name >= ? AND name < ?",
        [prefix, prefix + chr(sys.maxunicode)],
    ).fetchall()
