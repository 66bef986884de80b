"""Uploaded lists of subjects. A list is replaced by a version that is whole: nobody sees half of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from segserver.errors import Conflict
from segserver.storage.contract import Connection

_GIVEN_UP_US = 0
"""In place of when a version grew last."""

DROPPED_ROWS = 10_000
"""So many members of a version that serves no more are removed in one piece."""


class ListRow(NamedTuple):
    """A list as it serves. Times are microseconds since the epoch."""

    name: str
    version: int
    owner: str
    size: int
    uploaded_us: int
    expires_us: int | None


class Lists:
    """The statements on lists; each takes the connection to run on."""

    def begin(self, connection: Connection, now_us: int) -> int:
        """The number of a version that is being made."""
        row = connection.execute(
            "INSERT INTO list_counter VALUES (1, 1)"
            " ON CONFLICT (id) DO UPDATE SET last = list_counter.last + 1 RETURNING last"
        ).fetchone()
        connection.execute("INSERT INTO list_versions VALUES (?, ?)", (row[0], now_us))
        return int(row[0])

    def add(self, connection: Connection, version: int, members: Iterable[bytes], now_us: int) -> None:
        """Adds subject keys to a version that is being made. Raises :class:`Conflict` for one that was given
        up."""
        self._touch(connection, version, now_us)
        connection.executemany(
            "INSERT INTO list_members VALUES (?, ?) ON CONFLICT (version, member) DO NOTHING",
            [(version, member) for member in members],
        )

    def serve(
        self,
        connection: Connection,
        name: str,
        version: int,
        owner: str,
        uploaded_us: int,
        expires_us: int | None,
    ) -> ListRow:
        """Lets a version serve in place of the one before. Raises :class:`Conflict` for one that was given
        up."""
        self._touch(connection, version, uploaded_us)
        before = self.get(connection, name)
        if before is not None:
            self.give_up(connection, before.version)
        size = connection.execute(
            "SELECT COUNT(*) FROM list_members WHERE version = ?", (version,)
        ).fetchone()
        row = ListRow(name, version, owner, int(size[0]), uploaded_us, expires_us)
        connection.execute(
            "INSERT INTO lists VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
            " version = excluded.version, owner = excluded.owner, size = excluded.size,"
            " uploaded_us = excluded.uploaded_us, expires_us = excluded.expires_us",
            row,
        )
        return row

    def get(self, connection: Connection, name: str) -> ListRow | None:
        """The list of this name, expired or not."""
        row = connection.execute(
            "SELECT name, version, owner, size, uploaded_us, expires_us FROM lists WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else ListRow._make(row)

    def listing(self, connection: Connection) -> list[ListRow]:
        """All lists, by name."""
        rows = connection.execute(
            "SELECT name, version, owner, size, uploaded_us, expires_us FROM lists ORDER BY name"
        )
        return [ListRow._make(row) for row in rows]

    def delete(self, connection: Connection, name: str) -> bool:
        """Lets a list serve no more; whether there was one."""
        row = self.get(connection, name)
        if row is None:
            return False
        connection.execute("DELETE FROM lists WHERE name = ?", (name,))
        self.give_up(connection, row.version)
        return True

    def give_up(self, connection: Connection, version: int) -> None:
        """Has the members of a version removed in time: it serves no more, or never will."""
        connection.execute(
            "UPDATE list_versions SET touched_us = ? WHERE version = ?", (_GIVEN_UP_US, version)
        )

    def has(self, connection: Connection, version: int, key: bytes, subject_key: bytes) -> bool:
        """Whether a subject is in a version: by the key it was asked by, its own, or an alias."""
        row = connection.execute(
            "SELECT 1 FROM list_members WHERE version = ? AND (member = ? OR member = ? OR member IN"
            " (SELECT alias_key FROM aliases WHERE subject_key = ?)) LIMIT 1",
            (version, key, subject_key, subject_key),
        ).fetchone()
        return row is not None

    def mark_members(self, connection: Connection, version: int, due_us: int, reason: str) -> None:
        """Has the memberships of those who are stored and in a version, by whichever of their keys, looked at
        again."""
        connection.execute(
            "INSERT INTO membership_due SELECT subject_key, CAST(? AS BIGINT), CAST(? AS TEXT), 1 FROM ("
            " SELECT subjects.subject_key FROM list_members"
            " JOIN subjects ON subjects.subject_key = list_members.member WHERE version = ?"
            " UNION SELECT aliases.subject_key FROM list_members"
            " JOIN aliases ON aliases.alias_key = list_members.member WHERE version = ?) AS marked"
            " WHERE true ON CONFLICT (subject_key) DO UPDATE SET due_us = excluded.due_us,"
            " reason = excluded.reason, marks = membership_due.marks + 1",
            (due_us, reason, version, version),
        )

    def drop_unused(self, connection: Connection, idle_since_us: int) -> bool:
        """Removes some members of a version that was given up, or that grew last before ``idle_since_us`` and
        does not serve: its upload broke off. Whether there is more to remove."""
        row = connection.execute(
            "SELECT version FROM list_versions WHERE touched_us < ?"
            " AND version NOT IN (SELECT version FROM lists) ORDER BY version LIMIT 1",
            (idle_since_us,),
        ).fetchone()
        if row is None:
            return False
        version = row[0]
        self.give_up(connection, version)
        rows = connection.execute(
            "SELECT version, member FROM list_members WHERE version = ? LIMIT ?", (version, DROPPED_ROWS)
        ).fetchall()
        connection.executemany("DELETE FROM list_members WHERE version = ? AND member = ?", rows)
        if len(rows) < DROPPED_ROWS:
            connection.execute("DELETE FROM list_versions WHERE version = ?", (version,))
        return True

    def erase(self, connection: Connection, subject_key: bytes) -> int:
        """Takes a subject off every list; how many entries it had."""
        keys = [subject_key]
        keys += [
            bytes(row[0])
            for row in connection.execute(
                "SELECT alias_key FROM aliases WHERE subject_key = ?", (subject_key,)
            )
        ]
        removed = 0
        for key in keys:
            removed += connection.execute("DELETE FROM list_members WHERE member = ?", (key,)).rowcount
        return removed

    def _touch(self, connection: Connection, version: int, now_us: int) -> None:
        touched = connection.execute(
            "UPDATE list_versions SET touched_us = ? WHERE version = ? AND touched_us > ?",
            (now_us, version, _GIVEN_UP_US),
        )
        if not touched.rowcount:
            raise Conflict(
                "this upload was taken for broken off, after an hour without an id: upload the list again",
                reason="UPLOAD_BROKEN_OFF",
            )
