"""Requests of subjects under their rights, and of officers to identify one. A subject stands here by its
audit token.
"""

from __future__ import annotations

from typing import NamedTuple

from segserver.storage.contract import Connection


class RequestRow(NamedTuple):
    """One request of a subject. Times are microseconds since the epoch, UTC."""

    request_id: str
    kind: str
    subject: str
    received_us: int
    due_us: int
    completed_us: int | None


class IdentificationRow(NamedTuple):
    """One officer's request to identify the subject of an audit token; ``approved_by`` is another officer."""

    request_id: str
    subject: str
    reason: str
    asked_by: str
    asked_us: int
    approved_by: str | None


class Requests:
    """The statements on both registers; each takes the connection to run on."""

    def put(self, connection: Connection, row: RequestRow) -> None:
        """Adds a request under a new id."""
        connection.execute("INSERT INTO subject_requests VALUES (?, ?, ?, ?, ?, ?)", row)

    def get(self, connection: Connection, request_id: str) -> RequestRow | None:
        """One request."""
        row = connection.execute(
            "SELECT * FROM subject_requests WHERE request_id = ?", (request_id,)
        ).fetchone()
        return None if row is None else RequestRow._make(row)

    def complete(self, connection: Connection, request_id: str, now_us: int) -> bool:
        """Marks an open request as done; whether there was one."""
        return (
            connection.execute(
                "UPDATE subject_requests SET completed_us = ? WHERE request_id = ? AND completed_us IS NULL",
                (now_us, request_id),
            ).rowcount
            > 0
        )

    def open(self, connection: Connection, *, due_before_us: int, rows: int) -> list[RequestRow]:
        """At most ``rows`` open requests that are due before a moment, the most urgent first."""
        found = connection.execute(
            "SELECT * FROM subject_requests WHERE completed_us IS NULL AND due_us < ? "
            "ORDER BY due_us LIMIT ?",
            (due_before_us, rows),
        )
        return [RequestRow._make(row) for row in found]

    def put_identification(self, connection: Connection, row: IdentificationRow) -> None:
        """Adds an officer's request under a new id."""
        connection.execute("INSERT INTO identifications VALUES (?, ?, ?, ?, ?, ?)", row)

    def identification(self, connection: Connection, request_id: str) -> IdentificationRow | None:
        """One officer's request."""
        row = connection.execute(
            "SELECT * FROM identifications WHERE request_id = ?", (request_id,)
        ).fetchone()
        return None if row is None else IdentificationRow._make(row)

    def approve_identification(self, connection: Connection, request_id: str, officer: str) -> bool:
        """Sets the second officer, once; whether that was possible."""
        return (
            connection.execute(
                "UPDATE identifications SET approved_by = ? WHERE request_id = ? AND approved_by IS NULL",
                (officer, request_id),
            ).rowcount
            > 0
        )
