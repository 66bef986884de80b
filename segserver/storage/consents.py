"""The consent ledger: numbered records for each subject, sealed, only ever added or erased with their
subject.
"""

from __future__ import annotations

from segserver.storage.contract import Connection


class ConsentRecords:
    """The statements on the ledger; each takes the connection to run on."""

    def append(self, connection: Connection, subject_key: bytes, number: int, evidence: bytes) -> None:
        """Adds a record under its number, which must be free."""
        connection.execute("INSERT INTO consent_records VALUES (?, ?, ?)", (subject_key, number, evidence))

    def page(
        self, connection: Connection, subject_key: bytes, *, before: int, rows: int
    ) -> list[tuple[int, bytes]]:
        """At most ``rows`` of (number, evidence) with a number below ``before``, the newest first."""
        return connection.execute(
            "SELECT number, evidence FROM consent_records WHERE subject_key = ? AND number < ? "
            "ORDER BY number DESC LIMIT ?",
            (subject_key, before, rows),
        ).fetchall()

    def get(self, connection: Connection, subject_key: bytes, number: int) -> bytes | None:
        """The evidence of one record."""
        row = connection.execute(
            "SELECT evidence FROM consent_records WHERE subject_key = ? AND number = ?", (subject_key, number)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def erase(self, connection: Connection, subject_key: bytes) -> int:
        """Removes every record of a subject; how many there were."""
        return connection.execute(
            "DELETE FROM consent_records WHERE subject_key = ?", (subject_key,)
        ).rowcount
