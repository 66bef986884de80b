"""The log under faults: several processes on one store, and processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from segserver.audit.verify import verify
from segserver.storage import log as store

WRITING = """
import sys
from pathlib import Path
from segserver.audit.log import Log
from segserver.storage import postgres, sqlite
from segserver.storage.writer import Writer

folder, url, name, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
database = postgres.Database(url) if url else sqlite.Database(Path(folder) / "segserver.db")
writer = Writer(database, Log().append)
for number in range(count):
    payload = f"{name} {number}".encode()
    (log_index,) = writer.write_blocking(entries=[payload]).indexes
    print(log_index, payload.decode(), flush=True)
"""


def start(config, name, count):
    command = [sys.executable, "-c", WRITING, str(config.data_dir), config.store.get_secret_value()]
    command += [name, str(count)]
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


def test_several_processes_share_one_log(config, database):
    processes = [start(config, name, 60) for name in ("one", "two", "three")]
    told = {}
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        told |= acknowledged(output.splitlines(keepends=True))
    payloads = stored(database)
    assert len(payloads) == 180
    assert told == dict(enumerate(payloads))


def test_what_a_killed_process_acknowledged_is_there(config, database):
    told = {}
    for turn in range(8):
        process = start(config, f"turn-{turn}", 100_000)
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
