"""Both stores have the same tables, so that statements and copies fit both."""

from __future__ import annotations

import pytest

from segserver.errors import FailedPrecondition, Unavailable
from segserver.storage.postgres import Database as Server
from segserver.storage.postgres.connection import Connection
from segserver.storage.postgres.schema import Step
from segserver.storage.sqlite import Database as File

TYPES = {"bigint": "INTEGER", "bytea": "BLOB", "text": "TEXT"}
Columns = dict[str, list[tuple[str, str, bool, int]]]
"""Table → (column, type, whether it must have a value, place in the primary key) in order."""


def columns_of_file(connection) -> Columns:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    found: Columns = {}
    for (table,) in tables:
        if not table.startswith(("sqlite_", "_sqlite")):
            rows = connection.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', [table])
            found[table] = [(name, kind, bool(needed or key), key) for name, kind, needed, key in rows]
    return found


def columns_of_server(connection) -> Columns:
    rows = connection.execute(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'NO',"
        " COALESCE((SELECT array_position(indkey::int2[], ordinal_position::int2) + 1 FROM pg_index"
        " WHERE indisprimary AND indrelid = table_name::regclass), 0)"
        " FROM information_schema.columns WHERE table_schema = current_schema()"
        " ORDER BY table_name, ordinal_position"
    )
    found: Columns = {}
    for table, name, kind, needed, key in rows:
        if table != "schema_steps":
            found.setdefault(table, []).append((name, TYPES[kind], needed, key))
    return found


def test_both_stores_have_the_same_columns(tmp_path, postgres_url):
    file, server = File(tmp_path / "store.db").connect(), Server(postgres_url).connect()
    assert columns_of_server(server) == columns_of_file(file)
    file.close()
    server.close()


def test_text_sorts_by_code_point_in_postgresql(postgres_url):
    connection = Server(postgres_url).connect()
    rows = connection.execute(
        "SELECT table_name::text, column_name::text FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND data_type = 'text'"
        " AND collation_name IS DISTINCT FROM 'C'"
    ).fetchall()
    connection.close()
    assert rows == []


def test_each_step_runs_once(postgres_url):
    step = Step("more", ("CREATE TABLE more (n BIGINT PRIMARY KEY)",))
    Server(postgres_url, [step])
    Server(postgres_url, [step, Step("again", ("INSERT INTO more VALUES (1)",))])
    Server(postgres_url, [step, Step("again", ("INSERT INTO more VALUES (1)",))])
    connection = Connection(postgres_url)
    assert connection.execute("SELECT n FROM more").fetchall() == [(1,)]
    connection.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cret@pass@host:port/db",
        "postgresql://user:s3cret@127.0.0.1:1x/db",
        "postgresql://user:s3cret%zz@127.0.0.1/db",
        "postgresql://user:s3cret@127.0.0.1:1/db",
        "postgresql://user:s3cret@/db?host=/nowhere&bogus=s3cret",
    ],
)
def test_a_url_that_does_not_lead_anywhere_never_shows_its_password(url):
    with pytest.raises((FailedPrecondition, Unavailable)) as caught:
        Server(url)
    assert caught.value.reason in ("STORE_URL_INVALID", "STORE_UNAVAILABLE")
    assert "s3cret" not in str(caught.value)
