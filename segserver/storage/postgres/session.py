"""The write connection to PostgreSQL: one writer at a time, and a lost commit that is looked for."""

from __future__ import annotations

import contextlib
import time

from segserver.errors import SegserverError, Unavailable
from segserver.storage.postgres.connection import Connection

RESOLVE_S = 10.0
"""How long to try to learn whether a transaction whose end was not heard is committed."""
RESOLVE_PAUSE_S = 0.1

LOCK = "pg_advisory_xact_lock(1936025459, 'log_head'::regclass::oid::int4)"
"""Held by the one transaction that may write: the first number is ours, the second is that of the log's table
in this schema."""

_BEGIN = f"BEGIN; SELECT {LOCK}, pg_current_xact_id()::text"
_TIMELINE = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
"""Changes when a standby takes over: a transaction's number means another one there."""


class ServerSession:
    """Writes through one connection, which is opened again when it was lost between transactions.

    Every transaction begins by taking one lock for the whole store, so that writers of several processes come
    one after the other, as with SQLite: what a work reads stays true until it has written, and the audit log
    has one end.
    """

    def __init__(self, url: str) -> None:
        self._connection = Connection(url, reopens=False)
        self._timeline = self._read_timeline()
        self._transaction = ""

    @property
    def connection(self) -> Connection:
        """What statements run on, within the transaction."""
        return self._connection

    def begin(self) -> None:
        """Begins a transaction, once no other is open. Raises :class:`Unavailable`."""
        try:
            if not self._connection.lost:
                self._take()
                return
        except Unavailable:
            if not self._connection.lost:
                self.rollback()
                raise
        self._reopen()
        self._take()

    def commit(self) -> None:
        """Commits. Raises :class:`Unavailable`: nothing is stored then, unless its reason is
        ``STORE_OUTCOME_UNKNOWN``.
        """
        try:
            done = self._connection.command("COMMIT")
        except Unavailable as error:
            if not self._connection.lost:
                raise
            self._find_out(error)
            return
        if done != "COMMIT":
            raise Unavailable("the store can't be used: it rolled back", reason="STORE_UNAVAILABLE")

    def rollback(self) -> None:
        """Undoes what is not committed; a lost connection has nothing to undo."""
        with contextlib.suppress(Unavailable):
            if self._connection.in_transaction:
                self._connection.command("ROLLBACK")

    def is_fatal(self, error: Exception) -> bool:  # noqa: ARG002  # the connection tells, whatever the error
        """Whether the transaction is gone, with the connection."""
        return not self._connection.in_transaction

    def translated(self, error: Exception) -> Exception:
        """The error as it is: the connection has translated it."""
        return error

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _take(self) -> None:
        row = self._connection.script(_BEGIN)
        self._transaction = row[1] if row else ""

    def _reopen(self) -> None:
        self._connection.reopen()
        self._timeline = self._read_timeline()

    def _read_timeline(self) -> str:
        return str(self._connection.execute(_TIMELINE).fetchone()[0])

    def _find_out(self, lost: Unavailable) -> None:
        """Returns when the transaction is committed after all, raises :class:`Unavailable` when it is not or
        can't be known.

        The lock tells when the server is done with it; then its status is final.
        """
        transaction, timeline = self._transaction, self._timeline
        deadline = time.monotonic() + RESOLVE_S
        while True:
            try:
                self._reopen()
                self._take()
                row = self._connection.execute(
                    "SELECT pg_xact_status(CAST(CAST(? AS TEXT) AS xid8))", (transaction,)
                ).fetchone()
                break
            except SegserverError as error:
                if time.monotonic() > deadline:
                    raise Unavailable(
                        "the connection was lost in a commit: whether it is stored is not known",
                        reason="STORE_OUTCOME_UNKNOWN",
                    ) from error
                time.sleep(RESOLVE_PAUSE_S)
        self.rollback()
        if self._timeline != timeline or row[0] is None:
            raise Unavailable(
                "another server took over in a commit: whether it is stored is not known",
                reason="STORE_OUTCOME_UNKNOWN",
            )
        if row[0] != "committed":
            raise lost
