"""Group commit: what is durable, what fails alone, what fails together."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlite_utils.migrations import Migrations

from segserver.errors import Conflict, LimitExceeded, Unavailable
from segserver.storage.sqlite import Database
from segserver.storage.writer import Writer

migrations = Migrations("test")


@migrations()
def m001(db):
    db.execute("CREATE TABLE numbers (n INTEGER NOT NULL)")
    db.execute("CREATE TABLE log (i INTEGER PRIMARY KEY, payload BLOB NOT NULL)")


def append(connection, payloads):
    if not connection.in_transaction:
        connection.execute("BEGIN IMMEDIATE")
        indexes = append(connection, payloads)
        connection.execute("COMMIT")
        return indexes
    first = connection.execute("SELECT count(*) FROM log").fetchone()[0]
    connection.executemany("INSERT INTO log VALUES (?, ?)", list(enumerate(payloads, first)))
    return range(first, first + len(payloads))


def insert(number):
    return lambda connection: connection.execute("INSERT INTO numbers VALUES (?)", [number]).rowcount


@pytest.fixture
def database(tmp_path):
    return Database(tmp_path / "x.db", [migrations])


@pytest.fixture
def writer(database):
    writer = Writer(database, append)
    yield writer
    writer.close()


def rows(database, table):
    connection = database.connect(read_only=True)
    found = [row[-1] for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid")]
    connection.close()
    return found


async def test_work_and_its_entries_are_durable_together(database, writer):
    receipt = await writer.write(insert(7), [b"a", b"b"])
    assert receipt.result == 1
    assert list(receipt.indexes) == [0, 1]
    assert rows(database, "numbers") == [7]
    assert rows(database, "log") == [b"a", b"b"]


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
    assert rows(database, "numbers") == [1, 2]
    assert rows(database, "log") == [b"1", b"2"]


def test_every_entry_of_many_threads_gets_its_own_index(database, writer):
    def write(number):
        return writer.write_blocking(None, [b"%d" % number, b"%d'" % number]).indexes

    with ThreadPoolExecutor(8) as pool:
        indexes = list(pool.map(write, range(400)))
    log = rows(database, "log")
    assert len(log) == 800
    for number, (first, second) in enumerate(indexes):
        assert log[first] == b"%d" % number
        assert log[second] == b"%d'" % number


async def test_under_load_one_commit_serves_many(database, writer):
    commits = []
    writer._session.connection.set_trace_callback(
        lambda sql: commits.append(sql) if sql == "COMMIT" else None
    )
    await asyncio.gather(*(writer.write(insert(n), [b"x"]) for n in range(500)))
    assert len(rows(database, "numbers")) == 500
    assert len(commits) < 100


async def test_a_full_disk_fails_the_group_and_leaves_the_store_whole(database, writer):
    await writer.write(insert(1), [b"1"])
    pages = writer._session.connection.execute("PRAGMA page_count").fetchone()[0]
    writer._session.connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(Unavailable, match="full") as caught:
        await writer.write(insert(2), [b"x" * 100_000])
    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert rows(database, "numbers") == [1]
    assert rows(database, "log") == [b"1"]
    writer._session.connection.execute("PRAGMA max_page_count=1000000")
    await writer.write(insert(3), [b"3"])
    assert rows(database, "log") == [b"1", b"3"]


async def test_a_read_only_store_fails_unavailable(database, writer):
    writer._session.connection.execute("PRAGMA query_only=ON")
    with pytest.raises(Unavailable, match="readonly"):
        await writer.write(insert(1))
    with pytest.raises(Unavailable, match="readonly"):
        await writer.write(None, [b"entry"])
    assert rows(database, "numbers") == []


def test_closing_finishes_what_was_submitted_and_refuses_more(database):
    writer = Writer(database, append)
    gate = threading.Event()
    threads = [threading.Thread(target=writer.write_blocking, args=(lambda _: gate.wait(5), [b"slow"]))]
    threads += [threading.Thread(target=writer.write_blocking, args=(None, [b"fast"])) for _ in range(5)]
    for thread in threads:
        thread.start()
    while writer.queued + len(rows(database, "log")) < 5:
        pass
    gate.set()
    writer.close()
    for thread in threads:
        thread.join()
    assert len(rows(database, "log")) == 6
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
    assert rows(database, "numbers") == [5]


@pytest.mark.parametrize("replace", [False, True])
async def test_nothing_is_acknowledged_in_a_file_that_is_gone(database, writer, replace):
    await writer.write(insert(1))
    database.path.unlink()
    if replace:
        database.path.touch()
    for work, entries in ((insert(2), ()), (None, [b"entry"])):
        with pytest.raises(Unavailable) as caught:
            await writer.write(work, entries)
        assert caught.value.reason == "STORE_REPLACED"


async def test_an_entry_that_can_not_be_logged_fails_its_own_unit_alone(database):
    def picky(connection, payloads):
        if b"too long" in payloads:
            raise LimitExceeded("an entry is too long")
        return append(connection, payloads)

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
    assert sorted(rows(database, "numbers")) == [0, 1, 2, 4, 5]
