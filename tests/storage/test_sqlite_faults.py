"""A SQLite file under faults: a disk that is full, a file that can't be written or is gone."""

from __future__ import annotations

import pytest

from segserver.audit.log import Log
from segserver.audit.verify import verify
from segserver.errors import Unavailable
from segserver.storage import log as store
from segserver.storage.sqlite import Database
from segserver.storage.writer import Writer


@pytest.fixture
def database(tmp_path):
    return Database(tmp_path / "store.db")


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
    aliases = [row[0] for row in connection.execute("SELECT alias_key FROM aliases ORDER BY 1")]
    size = verify(connection, []).size
    payloads = [row[2] for rows in store.scan(connection, 0, size) for row in rows]
    connection.close()
    return aliases, payloads


def test_a_full_disk_is_unavailable_and_leaves_the_store_whole(database, writer):
    connection = writer._session.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    done, refused = 0, None
    while refused is None:
        try:
            writer.write_blocking(put(b"%03d" % done), [b"x" * 9000])
            done += 1
        except Unavailable as error:
            refused = error
    assert refused.reason == "STORE_UNAVAILABLE"
    assert refused.metadata["sqlite"] == "SQLITE_FULL"
    assert done > 0
    assert [len(found) for found in stored(database)] == [done, done]
    with pytest.raises(Unavailable, match="full"):
        writer.write_blocking(entries=[b"x" * 9000] * 9)
    connection.execute("PRAGMA max_page_count = 1000000")
    assert list(writer.write_blocking(put(b"999"), [b"afterwards"]).indexes) == [done]
    assert [found[-1] for found in stored(database)] == [b"999", b"afterwards"]


async def test_a_read_only_store_fails_unavailable(database, writer):
    await writer.write(put(b"1"), [b"one"])
    writer._session.connection.execute("PRAGMA query_only=ON")
    for work, entries in ((put(b"2"), ()), (None, [b"two"])):
        with pytest.raises(Unavailable, match="readonly"):
            await writer.write(work, entries)
    writer._session.connection.execute("PRAGMA query_only=OFF")
    await writer.write(put(b"3"), [b"three"])
    assert stored(database) == ([b"1", b"3"], [b"one", b"three"])


@pytest.mark.parametrize("replace", [False, True])
async def test_nothing_is_acknowledged_in_a_file_that_is_gone(database, writer, replace):
    await writer.write(put(b"1"))
    database.path.unlink()
    if replace:
        database.path.touch()
    for work, entries in ((put(b"2"), ()), (None, [b"entry"])):
        with pytest.raises(Unavailable) as caught:
            await writer.write(work, entries)
        assert caught.value.reason == "STORE_REPLACED"
