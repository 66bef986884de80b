"""Group commit: what is durable, what fails alone, what fails together."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from segserver.audit.log import Log
from segserver.errors import Conflict, LimitExceeded, Unavailable
from segserver.storage import log as store
from segserver.storage.writer import Writer


def insert(number):
    return lambda connection: connection.execute("INSERT INTO numbers VALUES (?)", [number]).rowcount


@pytest.fixture
def database(database):
    connection = database.connect()
    connection.execute("CREATE TABLE numbers (n INTEGER NOT NULL)")
    connection.close()
    return database


@pytest.fixture
def writer(database):
    writer = Writer(database, Log().append)
    yield writer
    writer.close()


def numbers(database):
    connection = database.connect(read_only=True)
    found = [row[0] for row in connection.execute("SELECT n FROM numbers ORDER BY n")]
    connection.close()
    return found


def entries(database):
    connection = database.connect(read_only=True)
    size, _ = store.head(connection) or (0, b"")
    found = [payload for rows in store.scan(connection, 0, size) for _, _, payload in rows]
    connection.close()
    return found


async def test_work_and_its_entries_are_durable_together(database, writer):
    receipt = await writer.write(insert(7), [b"a", b"b"])
    assert receipt.result == 1
    assert list(receipt.indexes) == [0, 1]
    assert numbers(database) == [7]
    assert entries(database) == [b"a", b"b"]


async def test_a_unit_that_fails_is_rolled_back_alone(database, writer):
    def fail(connection):
        connection.execute("INSERT INTO numbers VALUES (99)")
        raise Conflict("no")

    results = await asyncio.gather(
        writer.write(insert(1), [b"1"]),
        writer.write(fail, [b"99"]),
        writer.write(insert(2), [b"2"]),
        return_exceptions=True,
    )
    assert isinstance(results[1], Conflict)
    assert numbers(database) == [1, 2]
    assert entries(database) == [b"1", b"2"]


async def test_a_statement_that_fails_fails_its_own_unit_alone(database, writer):
    twice = [(b"k", b"a"), (b"k", b"b")]
    results = await asyncio.gather(
        writer.write(insert(1), [b"1"]),
        writer.write(lambda c: c.executemany("INSERT INTO aliases VALUES (?, ?)", twice), [b"99"]),
        writer.write(insert(2), [b"2"]),
        return_exceptions=True,
    )
    assert isinstance(results[1], Exception)
    assert numbers(database) == [1, 2]
    assert entries(database) == [b"1", b"2"]


def test_every_entry_of_many_threads_gets_its_own_index(database, writer):
    def write(number):
        return writer.write_blocking(None, [b"%d" % number, b"%d'" % number]).indexes

    with ThreadPoolExecutor(8) as pool:
        indexes = list(pool.map(write, range(400)))
    log = entries(database)
    assert len(log) == 800
    for number, (first, second) in enumerate(indexes):
        assert log[first] == b"%d" % number
        assert log[second] == b"%d'" % number


async def test_under_load_one_commit_serves_many(database, writer, monkeypatch):
    commit, commits = writer._session.commit, []
    monkeypatch.setattr(writer._session, "commit", lambda: commits.append(commit()))
    await asyncio.gather(*(writer.write(insert(n), [b"x"]) for n in range(500)))
    assert len(numbers(database)) == 500
    assert len(commits) < 100


def test_closing_finishes_what_was_submitted_and_refuses_more(database):
    writer = Writer(database, Log().append)
    gate, begun = threading.Event(), threading.Event()

    def slow(_):
        begun.set()
        gate.wait(5)

    threads = [threading.Thread(target=writer.write_blocking, args=(slow, [b"slow"]))]
    threads += [threading.Thread(target=writer.write_blocking, args=(None, [b"fast"])) for _ in range(5)]
    threads[0].start()
    begun.wait(5)
    for thread in threads[1:]:
        thread.start()
    while writer.queued < 5:
        pass
    gate.set()
    writer.close()
    for thread in threads:
        thread.join()
    assert len(entries(database)) == 6
    with pytest.raises(Unavailable, match="closing"):
        writer.write_blocking(None, [b"late"])


async def test_a_cancelled_caller_does_not_undo_its_write(database, writer):
    hold = threading.Event()
    blocked = asyncio.ensure_future(writer.write(lambda _: hold.wait(5)))
    cancelled = asyncio.ensure_future(writer.write(insert(5), [b"5"]))
    await asyncio.sleep(0)
    cancelled.cancel()
    hold.set()
    await blocked
    await writer.write()
    assert numbers(database) == [5]


async def test_an_entry_that_can_not_be_logged_fails_its_own_unit_alone(database):
    log = Log()

    def picky(connection, payloads):
        if b"too long" in payloads:
            raise LimitExceeded("an entry is too long")
        return log.append(connection, payloads)

    hold, held = threading.Event(), threading.Event()

    def wait(_):
        held.set()
        hold.wait(10)

    writer = Writer(database, picky)
    try:
        first = asyncio.create_task(writer.write(wait))
        await asyncio.to_thread(held.wait, 10)
        group = [
            asyncio.create_task(writer.write(insert(number), [b"too long" if number == 3 else b"entry"]))
            for number in range(6)
        ]
        await asyncio.sleep(0)
        hold.set()
        await first
        outcomes = await asyncio.gather(*group, return_exceptions=True)
    finally:
        writer.close()
    assert [isinstance(outcome, LimitExceeded) for outcome in outcomes] == [n == 3 for n in range(6)]
    assert sorted(numbers(database)) == [0, 1, 2, 4, 5]
