"""A PostgreSQL server under faults: connections that end, commits whose reply is lost, a server that is
away.
"""

from __future__ import annotations

import asyncio
import threading

import pytest
from stores import execute, terminate

from segserver.audit.log import Log
from segserver.audit.verify import verify
from segserver.errors import FailedPrecondition, Unavailable
from segserver.storage import log as store
from segserver.storage.postgres import Database, connection, session
from segserver.storage.postgres.connection import Connection
from segserver.storage.writer import Writer


@pytest.fixture
def database(postgres_url):
    return Database(postgres_url)


@pytest.fixture
def writer(database):
    writer = Writer(database, Log().append)
    yield writer
    writer.close()


def put(value):
    return lambda connection: connection.execute("INSERT INTO aliases VALUES (?, ?)", [value, b"subject"])


def stored(database):
    """The aliases, and the payloads of the log once it has verified."""
    connection = database.connect(read_only=True)
    aliases = {row[0] for row in connection.execute("SELECT alias_key FROM aliases")}
    size = verify(connection, []).size
    payloads = [row[2] for rows in store.scan(connection, 0, size) for row in rows]
    connection.close()
    return aliases, payloads


async def test_connections_that_end_under_load_leave_nothing_half_written(database, writer, postgres_url):
    done = asyncio.Event()

    async def write(name):
        told = []
        number = 0
        while not done.is_set():
            value = b"%s-%d" % (name, number)
            number += 1
            try:
                await writer.write(put(value), [value])
                told.append(value)
            except Unavailable:
                continue
        return told

    tasks = [asyncio.create_task(write(b"%d" % n)) for n in range(8)]
    ended = 0
    for _ in range(6):
        await asyncio.sleep(0.05)
        ended += await asyncio.to_thread(terminate, postgres_url)
    done.set()
    told = {value for values in await asyncio.gather(*tasks) for value in values}
    assert ended >= 6
    aliases, payloads = stored(database)
    assert aliases == set(payloads)
    assert len(aliases) == len(payloads)
    assert told == aliases
    assert await writer.write(put(b"after"), [b"after"])


class Cut:
    """Ends the writer's connection around its next commit, as a broken network would."""

    def __init__(self, writer, url, *, before):
        self._own = writer._session._connection
        self._command = self._own.command
        self._url = url
        self._before = before
        self._own.command = self

    def __call__(self, statement):
        self._own.command = self._command
        if self._before:
            terminate(self._url)
            return self._command(statement)
        self._command(statement)
        self._own.close()
        raise Unavailable("cut", reason="STORE_UNAVAILABLE")


async def test_a_commit_whose_reply_is_lost_is_found_to_be_there(database, writer, postgres_url):
    await writer.write(put(b"1"), [b"1"])
    Cut(writer, postgres_url, before=False)
    receipt = await writer.write(put(b"2"), [b"2"])
    assert list(receipt.indexes) == [1]
    await writer.write(put(b"3"), [b"3"])
    assert stored(database) == ({b"1", b"2", b"3"}, [b"1", b"2", b"3"])


async def test_a_commit_that_did_not_arrive_is_found_to_be_missing(database, writer, postgres_url):
    await writer.write(put(b"1"), [b"1"])
    Cut(writer, postgres_url, before=True)
    with pytest.raises(Unavailable) as caught:
        await writer.write(put(b"2"), [b"2"])
    assert caught.value.reason == "STORE_UNAVAILABLE"
    await writer.write(put(b"3"), [b"3"])
    assert stored(database) == ({b"1", b"3"}, [b"1", b"3"])


@pytest.mark.parametrize("fault", ["unreachable", "another server"])
async def test_a_commit_that_can_not_be_found_out_about_is_said_to_be_unknown(
    database, writer, postgres_url, monkeypatch, fault
):
    await writer.write(put(b"1"), [b"1"])
    own = writer._session
    if fault == "unreachable":
        monkeypatch.setattr(session, "RESOLVE_S", 0.0)
        monkeypatch.setattr(own._connection, "_url", "postgresql:///none?host=/nowhere")
    else:
        own._timeline = "0000000F"
    Cut(writer, postgres_url, before=False)
    with pytest.raises(Unavailable, match="not known") as caught:
        await writer.write(put(b"2"), [b"2"])
    assert caught.value.reason == "STORE_OUTCOME_UNKNOWN"
    monkeypatch.undo()
    await writer.write(put(b"3"), [b"3"])
    assert stored(database) == ({b"1", b"2", b"3"}, [b"1", b"2", b"3"])


async def test_readers_come_back_by_themselves(database, postgres_url):
    def read(connection):
        return connection.execute("SELECT 1").fetchone()

    reads = database.reader()
    await asyncio.gather(*(reads.read(read) for _ in range(20)))
    assert terminate(postgres_url) > 0
    assert await asyncio.gather(*(reads.read(read) for _ in range(20))) == [(1,)] * 20
    reads.close()


async def test_readers_of_a_server_that_is_away_are_told_so(database, monkeypatch):
    monkeypatch.setattr(database, "_url", "postgresql:///none?host=/nowhere")
    reads = database.reader()
    with pytest.raises(Unavailable, match="can't be reached"):
        await reads.read(lambda connection: None)
    reads.close()


def test_what_follows_a_lost_connection_does_not_run_outside_its_transaction(writer, postgres_url, database):
    def work(connection):
        connection.execute("INSERT INTO aliases VALUES (?, ?)", [b"1", b"s"])
        terminate(postgres_url)
        for number in (b"2", b"3"):
            with pytest.raises(Unavailable):
                connection.execute("INSERT INTO aliases VALUES (?, ?)", [number, b"s"])
        raise Unavailable("lost", reason="STORE_UNAVAILABLE")

    with pytest.raises(Unavailable):
        writer.write_blocking(work, [b"entry"])
    assert stored(database) == (set(), [])


def test_a_writer_that_stands_still_is_not_waited_for_forever(database, monkeypatch):
    monkeypatch.setattr(connection, "LOCK_TIMEOUT_MS", 50)
    writer, other = Writer(database, Log().append), Writer(database, Log().append)
    held, hold = threading.Event(), threading.Event()

    def wait(_):
        held.set()
        hold.wait(10)

    waiting = threading.Thread(target=writer.write_blocking, args=(wait, [b"slow"]))
    waiting.start()
    held.wait(10)
    with pytest.raises(Unavailable) as caught:
        other.write_blocking(entries=[b"refused"])
    assert caught.value.metadata["sqlstate"] == "55P03"
    hold.set()
    waiting.join()
    other.write_blocking(entries=[b"afterwards"])
    writer.close()
    other.close()
    assert stored(database)[1] == [b"slow", b"afterwards"]


def test_a_server_that_may_lose_commits_is_refused(postgres_server, postgres_url):
    try:
        for setting in ("fsync", "full_page_writes"):
            execute(postgres_server, f"ALTER SYSTEM SET {setting} = off")
            execute(postgres_server, "SELECT pg_reload_conf()")
            while execute(postgres_server, f"SHOW {setting}") != [("off",)]:
                pass
            with pytest.raises(FailedPrecondition) as caught:
                Database(postgres_url)
            assert caught.value.reason == "POSTGRES_NOT_DURABLE"
            execute(postgres_server, f"ALTER SYSTEM RESET {setting}")
    finally:
        execute(postgres_server, "ALTER SYSTEM RESET ALL")
        execute(postgres_server, "SELECT pg_reload_conf()")
        while execute(postgres_server, "SHOW full_page_writes") != [("on",)]:
            pass


def test_a_role_that_does_not_wait_for_the_disk_is_made_to(postgres_url):
    execute(
        postgres_url,
        "ALTER DATABASE " + postgres_url.split("/")[3].split("?")[0] + " SET synchronous_commit = off",
    )
    own = Connection(postgres_url)
    assert own.execute("SELECT current_setting('synchronous_commit')").fetchone() == ("on",)
    own.close()


def test_a_reader_can_not_write(database):
    reader = database.connect(read_only=True)
    with pytest.raises(Unavailable):
        reader.execute("INSERT INTO aliases VALUES (?, ?)", [b"1", b"s"])
    reader.close()
