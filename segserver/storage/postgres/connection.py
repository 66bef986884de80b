"""A connection to PostgreSQL that takes this room's statements, and whose errors are ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from segserver.errors import FailedPrecondition, Unavailable
from segserver.storage.contract import Rows

CONNECT_TIMEOUT_S = 5
REPLY_TIMEOUT_MS = 10_000
"""How long the network may swallow what was sent before the connection counts as lost
(``tcp_user_timeout``).
"""
LOCK_TIMEOUT_MS = 5_000
"""How long a statement waits for another process, as SQLite's busy timeout."""
IDLE_TRANSACTION_MS = 15_000
"""After so long, the server ends a transaction whose process stands still: nobody else can write
meanwhile.
"""

_ENDED = ("57P", "08", "25P03")
"""The codes of a shutdown, a failed connection, and a transaction that stood still for too long."""

_VALUE = re.compile(r"\?(\d+)?")


@lru_cache(maxsize=1024)
def numbered(sql: str) -> str:
    """The statement with PostgreSQL's own places for values: ``?`` and ``?1`` become ``$1``."""
    count = 0

    def place(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f"${found[1] or count}"

    return _VALUE.sub(place, sql)


class Connection:
    """One connection, for one thread at a time. Statements outside a transaction commit by themselves.

    When it was lost, the next statement opens another; a statement that notices the loss is run again where
    it only reads, and fails with :class:`Unavailable` where it writes. With ``reopens`` false it stays lost
    until :meth:`reopen`: what follows in a transaction must not run outside of it.
    """

    def __init__(
        self, url: str, *, read_only: bool = False, reopens: bool = True, statement_timeout_ms: int = 0
    ) -> None:
        self._url = url
        self._read_only = read_only
        self._reopens = reopens
        self._statement_timeout_ms = statement_timeout_ms
        self._raw = self._connected()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, be it one that can only be rolled back."""
        status = self._raw.info.transaction_status
        return status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    @property
    def lost(self) -> bool:
        """Whether the server can't be reached through it any more."""
        return bool(self._raw.closed)

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        """Runs one statement. Raises :class:`Unavailable`."""
        self._ready()
        try:
            return self._raw.execute(numbered(sql), parameters, binary=True)
        except psycopg.Error as error:
            failed = self._failed(error)
            if not (self.lost and self._reopens and self._read_only):
                raise failed from None
        self._ready()  # it was lost some time ago, and a read may be run twice
        try:
            return self._raw.execute(numbered(sql), parameters, binary=True)
        except psycopg.Error as error:
            raise self._failed(error) from None

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Rows:
        """Runs one statement for each row of values, in few round trips. Raises :class:`Unavailable`."""
        self._ready()
        cursor = self._raw.cursor(binary=True)
        try:
            cursor.executemany(numbered(sql), rows)
        except psycopg.Error as error:
            raise self._failed(error) from None
        return cursor

    def script(self, statements: str) -> tuple[Any, ...] | None:
        """Runs statements without values in one round trip; the row of the last one, if it gives any.

        Raises :class:`Unavailable`.
        """
        try:
            cursor = self._raw.execute(statements)
            while cursor.nextset():
                pass
            return cursor.fetchone() if cursor.description else None
        except psycopg.Error as error:
            raise self._failed(error) from None

    def command(self, statement: str) -> str:
        """Runs a statement without values or rows; what PostgreSQL says that it did. Raises
        :class:`Unavailable`.
        """
        try:
            return self._raw.execute(statement).statusmessage or ""
        except psycopg.Error as error:
            raise self._failed(error) from None

    def reopen(self) -> None:
        """Opens another connection in its place. Raises :class:`Unavailable`."""
        self.close()
        self._raw = self._connected()

    def close(self) -> None:
        """Closes it."""
        self._raw.close()

    def _failed(self, error: psycopg.Error) -> Unavailable:
        """The error as a caller gets it. A connection that the server has ended counts as lost at once: libpq
        notices only with the next statement.
        """
        if (error.sqlstate or "").startswith(_ENDED):
            self._raw.close()
        return unavailable(error)

    def _ready(self) -> None:
        if self._raw.closed and self._reopens:
            self._raw = self._connected()

    def _connected(self) -> psycopg.Connection[Any]:
        raw = open_connection(self._url)
        settings = {
            "lock_timeout": LOCK_TIMEOUT_MS,
            "statement_timeout": self._statement_timeout_ms,
            "idle_in_transaction_session_timeout": IDLE_TRANSACTION_MS,
            "default_transaction_read_only": "on" if self._read_only else "off",
        }
        try:
            raw.execute("; ".join(f"SET {name} = '{value}'" for name, value in settings.items()))
            raw.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
        except psycopg.Error as error:
            raw.close()
            raise unavailable(error) from None
        return raw


def open_connection(url: str) -> psycopg.Connection[Any]:
    """A bare connection. Raises :class:`Unavailable`, or :class:`FailedPrecondition` for a wrong URL.

    Neither shows the password: libpq quotes what it can't parse, and that can hold one.
    """
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            cursor_factory=psycopg.RawCursor,
            connect_timeout=CONNECT_TIMEOUT_S,
            tcp_user_timeout=REPLY_TIMEOUT_MS,
            application_name="segserver",
        )
    except psycopg.ProgrammingError:
        raise FailedPrecondition(
            "the URL of the PostgreSQL store can't be read: write postgresql://USER@HOST:PORT/DATABASE, "
            "and write special characters as %XX",
            reason="STORE_URL_INVALID",
        ) from None
    except psycopg.Error as error:
        raise Unavailable(
            f"the store can't be reached: {str(error).splitlines()[0].strip()}",
            reason="STORE_UNAVAILABLE",
            metadata={"sqlstate": error.sqlstate or ""},
        ) from None


def unavailable(error: psycopg.Error) -> Unavailable:
    """What PostgreSQL said, as the error that a caller gets: its code, because its messages can quote
    data.
    """
    code = error.sqlstate or ""
    return Unavailable(
        f"the store can't be used: {type(error).__name__}{f' ({code})' if code else ''}",
        reason="STORE_UNAVAILABLE",
        metadata={"sqlstate": code},
    )
