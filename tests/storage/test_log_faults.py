"""The log under faults: several processes on one file, processes that are killed, a disk that is full."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from segserver.audit import merkle
from segserver.audit.log import Log, read_head, reader
from segserver.audit.verify import verify
from segserver.errors import Unavailable
from segserver.storage import log as store
from segserver.storage.sqlite import Database
from segserver.storage.writer import Writer

WRITING = """
import sys
from pathlib import Path
from segserver.audit.log import Log
from segserver.storage import log as store
from segserver.storage.sqlite import Database
from segserver.storage.writer import Writer

name, count = sys.argv[2], int(sys.argv[3])
writer = Writer(Database(Path(sys.argv[1])), Log().append)
for number in range(count):
    payload = f"{name} {number}".encode()
    (log_index,) = writer.write_blocking(entries=[payload]).indexes
    print(log_index, payload.decode(), flush=True)
"""


@pytest.fixture
def database(tmp_path):
    return Database(tmp_path / "store.db")


def start(database, name, count):
    command = [sys.executable, "-c", WRITING, str(database.path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  our own command


def acknowledged(lines):
    """Log index and payload of every append that a process was told is durable."""
    found = [line.rstrip("\n").split(" ", 1) for line in lines if line.endswith("\n")]
    return {int(log_index): payload.encode() for log_index, payload in found}


def stored(database):
    """The payloads, once the whole log has verified."""
    connection = database.connect(read_only=True)
    try:
        size = verify(connection, []).size
        return [row[2] for rows in store.scan(connection, 0, size) for row in rows]
    finally:
        connection.close()


def test_several_processes_share_one_log(database):
    processes = [start(database, name, 60) for name in ("one", "two", "three")]
    told = {}
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        told |= acknowledged(output.splitlines(keepends=True))
    payloads = stored(database)
    assert len(payloads) == 180
    assert told == dict(enumerate(payloads))


def test_what_a_killed_process_acknowledged_is_there(database):
    told = {}
    for turn in range(8):
        process = start(database, f"turn-{turn}", 100_000)
        lines = [process.stdout.readline() for _ in range(5 + 7 * turn)]
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout.readlines()
        process.stdout.close()
        assert process.wait(timeout=60) == -signal.SIGKILL
        told |= acknowledged(lines)
        payloads = stored(database)
        assert len(payloads) in (len(told), len(told) + 1)
        assert all(payloads[log_index] == payload for log_index, payload in told.items())
        told = dict(enumerate(payloads))


def test_a_full_disk_is_unavailable_and_leaves_the_log_whole(database):
    writer = Writer(database, Log().append)
    connection = writer._session.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    done = 0
    refused = None
    while refused is None:
        try:
            done += len(writer.write_blocking(entries=[b"x" * 3000] * 3).indexes)
        except Unavailable as error:
            refused = error
    assert refused.metadata["sqlite"] == "SQLITE_FULL"
    assert done > 0
    assert len(stored(database)) == done
    with pytest.raises(Unavailable):
        writer.write_blocking(entries=[b"x" * 3000] * 3)
    connection.execute("PRAGMA max_page_count = 1000000")
    assert list(writer.write_blocking(entries=[b"afterwards"]).indexes) == [done]
    writer.close()
    assert stored(database)[-1] == b"afterwards"


def test_a_read_only_store_is_unavailable(database):
    writer = Writer(database, Log().append)
    writer.write_blocking(entries=[b"one"])
    writer._session.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(Unavailable):
        writer.write_blocking(entries=[b"two"])
    writer._session.connection.execute("PRAGMA query_only = OFF")
    writer.write_blocking(entries=[b"three"])
    writer.close()
    assert stored(database) == [b"one", b"three"]
    connection = database.connect(read_only=True)
    size, root = read_head(connection)
    assert merkle.root(size, reader(connection)) == root
    connection.close()
