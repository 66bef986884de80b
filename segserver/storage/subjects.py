"""Subjects by subject key: one row holds all that an evaluation needs, sealed. Nothing here knows a raw id.

The row's primary key is also the table's order (``WITHOUT ROWID``): the subject key is random, so rows spread
evenly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from segserver.storage.contract import Connection

PAGE_ROWS = 1_000


class SubjectRow(NamedTuple):
    """One subject as it is stored. ``profile`` and ``state`` are sealed under the data key in
    ``wrapped_key``.
    """

    subject_key: bytes
    wrapped_key: bytes
    key_version: int
    salt: bytes
    profile: bytes
    state: bytes
    revision: int
    """Counts the writes of this row, from 1."""
    updated_us: int
    """Microseconds since the epoch, UTC."""


_GET = """
    SELECT subject_key, wrapped_key, key_version, salt, profile, state, revision, updated_us FROM subjects
    WHERE subject_key = COALESCE((SELECT subject_key FROM aliases WHERE alias_key = ?1), ?1)
"""
_CHUNKS = (64, 16, 4, 1)
_GET_MANY = {
    size: f"""
    WITH wanted (key) AS (VALUES {", ".join(["(?)"] * size)})
    SELECT key, subject_key, wrapped_key, key_version, salt, profile, state, revision, updated_us
    FROM wanted CROSS JOIN subjects
    WHERE subject_key = COALESCE((SELECT aliases.subject_key FROM aliases WHERE alias_key = key), key)
    """
    for size in _CHUNKS
}
"""Statements for so many keys at once: any number of keys needs few of them, and each stays prepared."""
_PAGE = """
    SELECT subject_key, wrapped_key, key_version, salt, profile, state, revision, updated_us FROM subjects
    WHERE subject_key > ? ORDER BY subject_key LIMIT ?
"""
_WRAPPED_ELSEWHERE = """
    SELECT 1 FROM subjects WHERE key_version < ?1
    UNION ALL SELECT 1 FROM subjects WHERE key_version > ?1 LIMIT 1
"""
_PUT = """
    INSERT INTO subjects VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (subject_key) DO UPDATE SET
    wrapped_key = excluded.wrapped_key, key_version = excluded.key_version, salt = excluded.salt,
    profile = excluded.profile, state = excluded.state, revision = excluded.revision,
    updated_us = excluded.updated_us
"""


class Subjects:
    """The statements on subjects, aliases and key checks; each takes the connection to run on."""

    def get(self, connection: Connection, key: bytes) -> SubjectRow | None:
        """The row of this subject key, or of the subject that it is an alias of. One statement."""
        row = connection.execute(_GET, (key,)).fetchone()
        return None if row is None else SubjectRow._make(row)

    def get_many(self, connection: Connection, keys: Sequence[bytes]) -> list[SubjectRow | None]:
        """:meth:`get` for each key, in order, in few statements: under load, one read serves many callers."""
        found: dict[bytes, SubjectRow] = {}
        start = 0
        for size in _CHUNKS:
            while len(keys) - start >= size:
                for row in connection.execute(_GET_MANY[size], keys[start : start + size]):
                    found[row[0]] = SubjectRow._make(row[1:])
                start += size
        return [found.get(key) for key in keys]

    def put(self, connection: Connection, row: SubjectRow) -> None:
        """Stores the row in place of the one with its key."""
        connection.execute(_PUT, row)

    def count(self, connection: Connection) -> int:
        """How many subjects are stored."""
        return int(connection.execute("SELECT COUNT(*) FROM subjects").fetchone()[0])

    def pages(
        self, connection: Connection, *, rows: int = PAGE_ROWS, after: bytes = b""
    ) -> Iterator[list[SubjectRow]]:
        """All rows after a key, in the order of their keys, in lists of at most ``rows``; each list is one
        read.
        """
        while page := connection.execute(_PAGE, (after, rows)).fetchall():
            yield [SubjectRow._make(row) for row in page]
            after = page[-1][0]

    def erase(self, connection: Connection, subject_key: bytes) -> bool:
        """Removes the row and its aliases; whether there was one."""
        connection.execute("DELETE FROM aliases WHERE subject_key = ?", (subject_key,))
        return connection.execute("DELETE FROM subjects WHERE subject_key = ?", (subject_key,)).rowcount > 0

    def alias(self, connection: Connection, alias_key: bytes) -> bytes | None:
        """The subject key that this alias leads to."""
        row = connection.execute(
            "SELECT subject_key FROM aliases WHERE alias_key = ?", (alias_key,)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def aliases(self, connection: Connection, subject_key: bytes) -> list[bytes]:
        """The alias keys that lead to this subject."""
        rows = connection.execute(
            "SELECT alias_key FROM aliases WHERE subject_key = ? ORDER BY 1", (subject_key,)
        )
        return [bytes(row[0]) for row in rows]

    def put_alias(self, connection: Connection, alias_key: bytes, subject_key: bytes) -> None:
        """Makes the alias lead to the subject."""
        connection.execute(
            "INSERT INTO aliases VALUES (?, ?)"
            " ON CONFLICT (alias_key) DO UPDATE SET subject_key = excluded.subject_key",
            (alias_key, subject_key),
        )

    def key_versions(self, connection: Connection) -> dict[int, int]:
        """Version of the key-encryption key → how many data keys are wrapped under it."""
        return dict(connection.execute("SELECT key_version, COUNT(*) FROM subjects GROUP BY 1 ORDER BY 1"))

    def wrapped_elsewhere(self, connection: Connection, version: int) -> bool:
        """Whether any data key is wrapped under another version than this one. Two looks into an index."""
        return connection.execute(_WRAPPED_ELSEWHERE, (version,)).fetchone() is not None

    def wrapped_under(
        self, connection: Connection, versions: Iterable[int], rows: int
    ) -> list[tuple[bytes, bytes, int]]:
        """At most ``rows`` of (subject key, wrapped key, version) whose data key is wrapped under one of
        ``versions``.
        """
        found: list[tuple[bytes, bytes, int]] = []
        for version in versions:
            found += connection.execute(
                "SELECT subject_key, wrapped_key, key_version FROM subjects WHERE key_version = ? LIMIT ?",
                (version, rows - len(found)),
            ).fetchall()
        return found

    def rewrap(self, connection: Connection, changes: Iterable[tuple[bytes, int, bytes]]) -> None:
        """Sets (wrapped key, version) of the subject key that stands third."""
        connection.executemany(
            "UPDATE subjects SET wrapped_key = ?, key_version = ? WHERE subject_key = ?", changes
        )

    def is_retired(self, connection: Connection, version: int) -> bool:
        """Whether nothing may be wrapped under this version any more."""
        query = "SELECT 1 FROM retired_keys WHERE version = ?"
        return connection.execute(query, (version,)).fetchone() is not None

    def retire(self, connection: Connection, version: int) -> None:
        """Lets nothing be wrapped under this version from here on."""
        connection.execute("INSERT INTO retired_keys VALUES (?) ON CONFLICT DO NOTHING", (version,))

    def key_checks(self, connection: Connection) -> dict[str, bytes]:
        """By what the database recognizes its keys: name → check value; empty before the first start."""
        return dict(connection.execute("SELECT name, value FROM key_checks"))

    def put_key_checks(self, connection: Connection, values: Mapping[str, bytes]) -> None:
        """Makes ``values`` all that the database knows of its keys."""
        connection.execute("DELETE FROM key_checks")
        connection.executemany("INSERT INTO key_checks VALUES (?, ?)", values.items())
