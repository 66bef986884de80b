"""A disk that fails: no answer goes out, and the log is whole once the disk is back."""

from __future__ import annotations

import subprocess
import sys
from itertools import chain, repeat

import pytest
from servers import open_engine, running

from segserver.audit.verify import verify
from segserver.errors import Unavailable
from segserver.storage import log as store
from segserver.storage.sqlite import Database
from segserver.storage.sqlite.library import sqlite3

STATEMENTS = 5
"""In a transaction that appends: begin, read the head, add the rows, move the head, commit."""

CATALOG = """
purposes:
  care: {legal_basis: contract, categories: [demographic]}
attributes:
  age: {type: int, category: demographic}
segments:
  - {id: people/adults, rule: age >= 18}
"""


class FailingConnection:
    """A connection whose statements fail, as on a disk with I/O errors, from one on and for so many."""

    def __init__(self, connection):
        self._connection = connection
        self._statements = iter(())

    def fail(self, position, count):
        self._statements = chain(repeat(False, position), repeat(True, count))

    def execute(self, *arguments):
        return self._run(self._connection.execute, arguments)

    def executemany(self, *arguments):
        return self._run(self._connection.executemany, arguments)

    def _run(self, statement, arguments):
        if next(self._statements, False):
            raise sqlite3.OperationalError("disk I/O error")
        return statement(*arguments)

    def __getattr__(self, name):
        return getattr(self._connection, name)


def broken(writer):
    writer._session.connection = FailingConnection(writer._session.connection)
    return writer._session.connection


def stored(database, *keys):
    """The payloads, once the whole log has verified."""
    connection = database.connect(read_only=True)
    try:
        size = verify(connection, keys).size
        return [row[2] for rows in store.scan(connection, 0, size) for row in rows]
    finally:
        connection.close()


@pytest.mark.parametrize("count", [1, 100], ids=["once", "from then on"])
@pytest.mark.parametrize("position", range(STATEMENTS))
@pytest.mark.parametrize("store_url", [""])  # it is SQLite's statements that fail
def test_an_error_at_any_statement(database, writer, position, count):
    connection = broken(writer)
    writer.write_blocking(entries=[b"before"])
    connection.fail(position, count)
    with pytest.raises(Unavailable, match="disk I/O error"):
        writer.write_blocking(entries=[b"one", b"two"])
    assert stored(database) == [b"before"]
    connection.fail(0, 0)
    assert list(writer.write_blocking(entries=[b"after"]).indexes) == [1]
    assert stored(database) == [b"before", b"after"]


@pytest.mark.parametrize("store_url", [""])
def test_a_transaction_that_appends_has_so_many_statements(database, writer):
    connection = broken(writer)
    connection.fail(STATEMENTS, 100)
    assert list(writer.write_blocking(entries=[b"one", b"two"]).indexes) == [0, 1]


WRITING = """
import resource, sys
from pathlib import Path
from segserver.audit.log import Log
from segserver.errors import Unavailable
from segserver.storage.sqlite import Database
from segserver.storage.writer import Writer

path = Path(sys.argv[1])
writer = Writer(Database(path), Log().append)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)


def append(name):
    try:
        writer.write_blocking(entries=[name.encode() * 400] * 5)
    except Unavailable as error:
        print(error.metadata["sqlite"], flush=True)
        return False
    print(name, flush=True)
    return True


append("a")
resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(path.name + "-wal").stat().st_size + 9000, hard))
while append("b"):
    pass
append("c")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
append("d")
"""


def test_a_write_that_the_system_refuses(tmp_path):
    """The write fails in the middle of a transaction: the system lets the file grow no further."""
    path = tmp_path / "store.db"
    done = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-c", WRITING, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    told = done.stdout.split()
    refused = [line for line in told if line.startswith("SQLITE_")]
    assert [name[:12] for name in refused] == ["SQLITE_IOERR"] * 2
    assert told[-1] == "d"
    acknowledged = [line.encode() * 400 for line in told if line not in refused]
    assert stored(Database(path))[::5] == acknowledged


async def test_no_answer_leaves_the_server(tmp_path):
    async with running(open_engine(tmp_path, {"catalog.yaml": CATALOG})) as server:
        client = server.client(retries=0)
        await client.upsert_profile("jo", {"age": 44})
        before = await client.evaluate("jo", "care")
        connection = broken(server.engine.store.writer)
        connection.fail(0, 10**9)
        for _ in range(3):
            with pytest.raises(Unavailable) as refused:
                await client.evaluate("jo", "care")
            assert refused.value.reason == "STORE_UNAVAILABLE"
        with pytest.raises(Unavailable):
            await client.upsert_profile("jo", {"age": 45})
        connection.fail(0, 0)
        after = await client.evaluate("jo", "care")
        assert (await client.get_profile("jo")).attributes == {"age": 44}
        answered = [entry.request_id for entry in server.entries() if entry.kind == "evaluation"]
        assert answered == [before.evaluation_id, after.evaluation_id]
    stored(server.engine.store.database, server.engine.audit.key)
