"""Opening a PostgreSQL database: settings that keep what was committed, and the current schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from segserver.errors import FailedPrecondition
from segserver.storage import contract
from segserver.storage.contract import Table
from segserver.storage.postgres.connection import Connection
from segserver.storage.postgres.reader import PoolReader
from segserver.storage.postgres.schema import STEPS, Step
from segserver.storage.postgres.session import ServerSession

VERSION_MIN = 140_000
"""PostgreSQL 14: ``pg_xact_status`` and pipelines are older, its predecessors get no more repairs."""

READ_TIMEOUT_MS = 10_000
"""How long a read for the event loop may take; the reads of searches and copies may take longer."""

SCHEMA_TABLE = "schema_steps"
"""Which steps the schema has had."""

_MIGRATING = 1936025460
"""The lock under which one process at a time changes the schema."""

_TABLES = f"""
    SELECT CAST(relname AS TEXT),
        (SELECT array_agg(CAST(attname AS TEXT) ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped),
        (SELECT array_agg(CAST(attname AS TEXT) ORDER BY array_position(CAST(indkey AS INT2[]), attnum))
            FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
            WHERE indrelid = pg_class.oid AND indisprimary)
    FROM pg_class WHERE relkind = 'r' AND relnamespace = CAST(current_schema() AS regnamespace)
        AND relname <> '{SCHEMA_TABLE}'
    ORDER BY relname COLLATE "C"
"""
_NUMBERED = """
    SELECT CAST(relname AS TEXT), CAST(attname AS TEXT) FROM pg_attribute JOIN pg_class ON oid = attrelid
    WHERE attidentity <> '' AND relnamespace = CAST(current_schema() AS regnamespace)
"""


class Database:
    """One database with its schema, which is the first of the connection's ``search_path``.

    Raises :class:`FailedPrecondition` for a server that can't keep the store, :class:`Unavailable` when it
    can't be reached."""

    def __init__(self, url: str, steps: Sequence[Step] = STEPS) -> None:
        self._url = url
        connection = Connection(url, reopens=False)
        try:
            _check(connection)
            if steps:
                _migrate(connection, steps)
        finally:
            connection.close()

    @staticmethod
    def exists(url: str) -> bool:
        """Whether anything was ever kept there; tables alone are none. Raises :class:`Unavailable`."""
        connection = Connection(url, read_only=True, reopens=False)
        try:
            if connection.execute("SELECT to_regclass('key_checks')").fetchone() == (None,):
                return False
            kept = "SELECT EXISTS (SELECT FROM key_checks) OR EXISTS (SELECT FROM log_head)"
            return bool(connection.execute(kept).fetchone()[0])
        finally:
            connection.close()

    def connect(self, *, read_only: bool = False) -> Connection:
        """A new connection, which opens itself again when it was lost. Raises :class:`Unavailable`."""
        return Connection(self._url, read_only=read_only)

    def reader(self) -> PoolReader:
        """What the event loop reads through."""
        return PoolReader(lambda: Connection(self._url, read_only=True, statement_timeout_ms=READ_TIMEOUT_MS))

    def session(self) -> ServerSession:
        """What a writer writes through."""
        return ServerSession(self._url)

    def tables(self) -> Sequence[Table]:
        """Every table, by name."""
        connection = self.connect(read_only=True)
        try:
            rows = connection.execute(_TABLES).fetchall()
        finally:
            connection.close()
        return [Table(name, tuple(columns), tuple(key)) for name, columns, key in rows]

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection in a read transaction, which keeps rows that were deleted since from being
        vacuumed.
        """
        connection = Connection(self._url, read_only=True, reopens=False)
        try:
            connection.command("BEGIN ISOLATION LEVEL REPEATABLE READ")
            yield connection
        finally:
            connection.close()

    def adopt(self, connection: contract.Connection) -> None:
        """Sets the sequence of each column that numbers its rows."""
        for table, column in connection.execute(_NUMBERED).fetchall():
            connection.execute(
                "SELECT setval(pg_get_serial_sequence(CAST(? AS TEXT), CAST(? AS TEXT)),"
                f" (SELECT COALESCE(max({column}), 0) + 1 FROM {table}), false)",
                [table, column],
            )

    def forget(self) -> bool:
        """Vacuums the tables of subjects, so that no dead row stays in them.

        Always false: PostgreSQL's write-ahead log holds what was written until its files are used again, and
        archives and backups hold it for as long as they are kept.
        """
        connection = self.connect()
        try:
            connection.command(f"VACUUM (SKIP_LOCKED) {', '.join(PERSONAL)}")
        finally:
            connection.close()
        return False


PERSONAL = (
    *("subjects", "aliases", "consent_records", "event_parts", "event_ids"),
    *("memberships", "membership_changes", "membership_due", "list_members"),
)
"""The tables with rows about one subject, which an erasure takes out."""


def _check(connection: Connection) -> None:
    version, encoding, fsync, pages = connection.execute(
        "SELECT CAST(current_setting('server_version_num') AS BIGINT), current_setting('server_encoding'),"
        " current_setting('fsync'), current_setting('full_page_writes')"
    ).fetchone()
    if version < VERSION_MIN:
        raise FailedPrecondition(
            f"segserver needs PostgreSQL {VERSION_MIN // 10_000} or newer, not {version // 10_000}",
            reason="POSTGRES_TOO_OLD",
        )
    if encoding != "UTF8":
        raise FailedPrecondition(
            f"the database's encoding is {encoding}: create one with ENCODING 'UTF8'",
            reason="POSTGRES_ENCODING",
        )
    if "off" in (fsync, pages):
        raise FailedPrecondition(
            "the PostgreSQL server runs without fsync or full_page_writes: a crash would lose commits",
            reason="POSTGRES_NOT_DURABLE",
        )


def _migrate(connection: Connection, steps: Sequence[Step]) -> None:
    """Runs the steps that this database has not had, in one transaction."""
    connection.script(f"BEGIN; SELECT pg_advisory_xact_lock({_MIGRATING})")
    connection.command(f'CREATE TABLE IF NOT EXISTS {SCHEMA_TABLE} (name TEXT COLLATE "C" PRIMARY KEY)')
    done = {row[0] for row in connection.execute(f"SELECT name FROM {SCHEMA_TABLE}")}
    for step in steps:
        if step.name not in done:
            for statement in step.statements:
                connection.command(statement)
            connection.execute(f"INSERT INTO {SCHEMA_TABLE} (name) VALUES (?)", [step.name])
    connection.command("COMMIT")
