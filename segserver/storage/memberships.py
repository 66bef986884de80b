"""Who is in which segment, for which purpose, since when; what changed; and who is to be looked at again.

Segments and purposes stand in the clear, as in the audit log; who they are about is a subject key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from segserver.storage.contract import Connection

ENTERED, LEFT = 1, 2

MARKED_ROWS = 2_000
"""So many subjects are marked in one transaction: some ten milliseconds, in which nobody else writes."""


class MembershipRow(NamedTuple):
    """One who is in a segment now. ``number`` rises with each that enters."""

    number: int
    subject_key: bytes
    purpose: str
    segment: str
    entered_us: int
    reason: str


class ChangeRow(NamedTuple):
    """One who entered or left. ``recipient`` and ``token`` stand in for the subject key of an erased subject:
    such a row is for that recipient alone.
    """

    sequence: int
    subject_key: bytes | None
    recipient: str | None
    token: str | None
    purpose: str
    segment: str
    change: int
    at_us: int
    reason: str


class DueRow(NamedTuple):
    """A subject to look at again, from when on, and why."""

    subject_key: bytes
    due_us: int
    reason: str
    marks: int
    """Counts how often it was marked since it was looked at."""


_CHANGES = """
    SELECT sequence, subject_key, recipient, token, purpose, segment, change, at_us, reason
    FROM membership_changes WHERE sequence > ? AND purpose = ? AND (recipient IS NULL OR recipient = ?)
    ORDER BY sequence LIMIT ?
"""


_MARK = """
    INSERT INTO membership_due VALUES (?, ?, ?, 1) ON CONFLICT (subject_key) DO UPDATE
    SET due_us = excluded.due_us, reason = excluded.reason, marks = membership_due.marks + 1
"""


class Memberships:
    """The statements on memberships; each takes the connection to run on."""

    def of(self, connection: Connection, subject_key: bytes) -> list[MembershipRow]:
        """What a subject is in."""
        rows = connection.execute(
            "SELECT number, subject_key, purpose, segment, entered_us, reason FROM memberships"
            " WHERE subject_key = ? ORDER BY purpose, segment",
            (subject_key,),
        )
        return [MembershipRow._make(row) for row in rows]

    def members(
        self, connection: Connection, purpose: str, segment: str, after: int, rows: int
    ) -> list[MembershipRow]:
        """At most ``rows`` of those in a segment, with a number above ``after``, in order."""
        found = connection.execute(
            "SELECT number, subject_key, purpose, segment, entered_us, reason FROM memberships"
            " WHERE purpose = ? AND segment = ? AND number > ? ORDER BY number LIMIT ?",
            (purpose, segment, after, rows),
        )
        return [MembershipRow._make(row) for row in found]

    def enter(
        self,
        connection: Connection,
        subject_key: bytes,
        purpose: str,
        segments: Iterable[str],
        at_us: int,
        reason: str,
    ) -> None:
        """Lets a subject enter segments that it is not in."""
        for segment in segments:
            number = self._next(connection)
            connection.execute(
                "INSERT INTO memberships VALUES (?, ?, ?, ?, ?, ?)",
                (number, subject_key, purpose, segment, at_us, reason),
            )
            self._change(connection, (subject_key, None, None, purpose, segment, ENTERED, at_us, reason))

    def leave(
        self,
        connection: Connection,
        subject_key: bytes,
        purpose: str,
        segments: Iterable[str],
        at_us: int,
        reason: str,
    ) -> None:
        """Lets a subject leave segments that it is in."""
        for segment in segments:
            connection.execute(
                "DELETE FROM memberships WHERE subject_key = ? AND purpose = ? AND segment = ?",
                (subject_key, purpose, segment),
            )
            self._change(connection, (subject_key, None, None, purpose, segment, LEFT, at_us, reason))

    def erase(
        self, connection: Connection, subject_key: bytes, tokens: Sequence[tuple[str, str, str]], at_us: int
    ) -> int:
        """Removes everything about a subject; how many segments it was in. For each of ``tokens`` (recipient,
        purpose, token) the recipient is left word that this token is in those of the purpose no more.
        """
        rows = self.of(connection, subject_key)
        for table in ("memberships", "membership_changes", "membership_due"):
            connection.execute(f"DELETE FROM {table} WHERE subject_key = ?", (subject_key,))
        for recipient, purpose, token in tokens:
            for row in rows:
                if row.purpose == purpose:
                    self._change(
                        connection, (None, recipient, token, purpose, row.segment, LEFT, at_us, "ERASED")
                    )
        return len(rows)

    def changes(
        self, connection: Connection, after: int, purpose: str, recipient: str, rows: int
    ) -> list[ChangeRow]:
        """At most ``rows`` changes for a purpose after a sequence number, that are for everybody or for this
        recipient, in order.
        """
        found = connection.execute(_CHANGES, (after, purpose, recipient, rows))
        return [ChangeRow._make(row) for row in found]

    def history(self, connection: Connection, subject_key: bytes) -> list[ChangeRow]:
        """Everything that is kept of when a subject entered and left, in order."""
        found = connection.execute(
            "SELECT sequence, subject_key, recipient, token, purpose, segment, change, at_us, reason"
            " FROM membership_changes WHERE subject_key = ? ORDER BY sequence",
            (subject_key,),
        )
        return [ChangeRow._make(row) for row in found]

    def span(self, connection: Connection) -> tuple[int, int]:
        """The sequence number after which all changes are kept, and the last that was given."""
        row = connection.execute("SELECT forgotten, last FROM membership_counter").fetchone()
        return (0, 0) if row is None else (row[0], row[1])

    def has_before(self, connection: Connection, before_us: int) -> bool:
        """Whether the first change that is kept is of before a moment."""
        row = connection.execute("SELECT at_us FROM membership_changes ORDER BY sequence LIMIT 1").fetchone()
        return row is not None and row[0] < before_us

    def forget(self, connection: Connection, before_us: int) -> int:
        """Removes changes of before a moment; how many."""
        connection.execute(
            "UPDATE membership_counter SET forgotten = COALESCE((SELECT MAX(sequence) FROM membership_changes"
            " WHERE at_us < ?), forgotten)",
            (before_us,),
        )
        return connection.execute(
            "DELETE FROM membership_changes WHERE sequence <= (SELECT forgotten FROM membership_counter)"
        ).rowcount

    def mark(self, connection: Connection, subject_key: bytes, due_us: int, reason: str) -> None:
        """Has a subject looked at again at ``due_us``, whenever it was to be before."""
        connection.execute(_MARK, (subject_key, due_us, reason))

    def unmark(self, connection: Connection, row: DueRow) -> bool:
        """Takes a subject off the list as it was read; whether it still stood there so."""
        found = connection.execute(
            "DELETE FROM membership_due WHERE subject_key = ? AND due_us = ? AND reason = ? AND marks = ?",
            row,
        )
        return found.rowcount > 0

    def due(self, connection: Connection, now_us: int, rows: int) -> list[DueRow]:
        """At most ``rows`` subjects that are to be looked at by now, the longest due first."""
        found = connection.execute(
            "SELECT subject_key, due_us, reason, marks FROM membership_due WHERE due_us <= ?"
            " ORDER BY due_us LIMIT ?",
            (now_us, rows),
        )
        return [DueRow._make(row) for row in found]

    def add_reader(self, connection: Connection, recipient: str, purpose: str) -> None:
        """Remembers that a recipient is told who is in the segments of a purpose."""
        connection.execute(
            "INSERT INTO membership_readers VALUES (?, ?) ON CONFLICT (recipient, purpose) DO NOTHING",
            (recipient, purpose),
        )

    def readers(self, connection: Connection) -> list[tuple[str, str]]:
        """Every (recipient, purpose) that was ever told."""
        return connection.execute(
            "SELECT recipient, purpose FROM membership_readers ORDER BY 1, 2"
        ).fetchall()

    def looked_under(self, connection: Connection) -> str:
        """The digest of the catalog under which everybody was marked last; empty before."""
        row = connection.execute("SELECT digest FROM membership_catalog").fetchone()
        return "" if row is None else str(row[0])

    def mark_page(self, connection: Connection, due_us: int, reason: str, after: bytes) -> bytes | None:
        """Has some stored subjects with keys above ``after`` looked at again; the last of them, or ``None``
        when no other is left."""
        keys = connection.execute(
            "SELECT subject_key FROM subjects WHERE subject_key > ? ORDER BY subject_key LIMIT ?",
            (after, MARKED_ROWS),
        ).fetchall()
        connection.executemany(_MARK, [(key, due_us, reason) for (key,) in keys])
        return bytes(keys[-1][0]) if len(keys) == MARKED_ROWS else None

    def set_looked_under(self, connection: Connection, digest: str) -> None:
        """Remembers that everybody was marked under a catalog; empty: everybody is to be marked again."""
        connection.execute("DELETE FROM membership_catalog")
        connection.execute("INSERT INTO membership_catalog VALUES (?)", (digest,))

    def _change(
        self,
        connection: Connection,
        row: tuple[bytes | None, str | None, str | None, str, str, int, int, str],
    ) -> None:
        sequence = self._next(connection)
        connection.execute(
            "INSERT INTO membership_changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (sequence, *row)
        )

    def _next(self, connection: Connection) -> int:
        """A number that was never given before, whatever is erased. One transaction is open at a time, so
        numbers rise as they are committed.
        """
        row = connection.execute(
            "INSERT INTO membership_counter VALUES (1, 1, 0)"
            " ON CONFLICT (id) DO UPDATE SET last = membership_counter.last + 1 RETURNING last"
        ).fetchone()
        return int(row[0])
