"""What both stores have in common, so that nothing above this room knows which one it is.

Statements are written once, in the SQL that SQLite and PostgreSQL share, with ``?`` for a value: a module
beside this one for each group of tables, whose functions take the connection to run on. Only what can't be
shared is written twice: the tables themselves, and how a file or a server is opened and written.

To add a table:

1. its columns in :mod:`segserver.storage.sqlite.schema` and in :mod:`segserver.storage.postgres.schema`, as a
   new step; one that was released is never changed. ``BLOB`` is ``BYTEA`` there, ``INTEGER`` is ``BIGINT``,
   and ``TEXT`` is ``TEXT COLLATE "C"``, which sorts as SQLite does. It needs a primary key;
2. its statements in a module beside this one. ``INSERT … ON CONFLICT … DO UPDATE``, ``RETURNING`` and
   ``COALESCE`` mean the same in both; ``INSERT OR REPLACE``, ``lastrowid`` and ``char()`` are SQLite's
   own. In PostgreSQL a value whose type nothing tells needs a ``CAST``;
3. its tests on the fixture ``database`` of ``tests/storage``, which run on both stores.

Copying a store and backing it up need nothing more: they read the tables from the schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Rows(Protocol):
    """What a statement found. A row is a tuple; blobs are ``bytes``."""

    @property
    def rowcount(self) -> int:
        """How many rows a write changed."""

    def fetchone(self) -> Any:
        """The next row; ``None`` when there is none."""

    def fetchall(self) -> list[Any]:
        """The rows that remain."""

    def __iter__(self) -> Iterator[Any]:
        """The rows that remain, one after the other."""


class Connection(Protocol):
    """A connection that one thread at a time uses. Outside the writer's transactions, each statement is one.

    A store that can't be used raises :class:`~segserver.errors.Unavailable`, or an error of its driver that
    :func:`segserver.storage.log.reading` and the edge translate.
    """

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Rows:
        """Runs one statement; ``?`` and ``?1`` stand for values."""

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Rows:
        """Runs one statement for each row of values."""

    def close(self) -> None:
        """Closes it."""


class Reader(Protocol):
    """Reads for the event loop, which no read holds up for long."""

    async def read(self, work: Callable[[Connection], T], /) -> T:
        """What ``work`` finds on a read-only connection; it writes nothing and may be run twice.

        Raises what ``work`` raises, and :class:`~segserver.errors.Unavailable`.
        """

    def close(self) -> None:
        """Finishes what was begun, then closes."""


class Session(Protocol):
    """The write connection of a process, and how a transaction on it begins and ends.

    One transaction of the whole store is open at a time, whatever process it belongs to: a work reads what it
    then writes, and nobody writes between.
    """

    @property
    def connection(self) -> Connection:
        """What statements run on, within the transaction."""

    def begin(self) -> None:
        """Begins a transaction, once no other is open. Raises."""

    def commit(self) -> None:
        """Makes it durable. Raises when it is not, or when that can't be known."""

    def rollback(self) -> None:
        """Undoes what is not committed. Raises nothing: without its commit, the transaction is not there."""

    def is_fatal(self, error: Exception) -> bool:
        """Whether the transaction, and not only the statement at hand, is lost with this error."""

    def translated(self, error: Exception) -> Exception:
        """The error as the callers get it."""

    def close(self) -> None:
        """Closes the connection."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as both stores have it, with the columns of its primary key in order."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


class Database(Protocol):
    """A store that is open, with the current schema."""

    def connect(self, *, read_only: bool = ...) -> Connection:
        """A new connection, for one thread at a time. Raises :class:`~segserver.errors.Unavailable`."""

    def reader(self) -> Reader:
        """What the event loop reads through."""

    def session(self) -> Session:
        """What a writer writes through."""

    def tables(self) -> Sequence[Table]:
        """Every table, by name; those that only say which steps the schema has had are left out."""

    def snapshot(self) -> AbstractContextManager[Connection]:
        """A connection that sees the store as it was at one moment, and holds up no writer."""

    def adopt(self, connection: Connection) -> None:
        """Makes the numbers that the store gives out go on after those of rows that were copied into it."""

    def forget(self) -> bool:
        """Removes what erased rows left behind, as far as the store can; whether it could.

        Runs outside a transaction, on a connection of its own."""
