"""A server that is killed under load; `make chaos` does the same, longer."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from segserver.storage import log as store
from segserver.storage.sqlite import Database

chaos = runpy.run_path(str(Path(__file__).resolve().parents[2] / "scripts" / "chaos.py"))


async def test_a_killed_server_loses_nothing_that_it_acknowledged(tmp_path, capsys):
    assert await chaos["run"](tmp_path, kills=5, seed=20260704, worker_kills=1) == 0
    told = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert told["calls lost"] == "0"
    assert int(told["calls acknowledged"].split()[0]) > 50
    assert int(told["calls cut off"]) > 0

    data, key_file = tmp_path / "data", tmp_path / "log.key"
    assert chaos["unlogged"](data, {"never-logged"}) == {"never-logged"}
    connection = Database(data / "segserver.db", []).connect()
    for log_index in (7, 8):
        store.split(connection, log_index)
    connection.execute("UPDATE log_groups SET payloads = x'7b7d' WHERE first = 7")
    connection.close()
    with pytest.raises(RuntimeError, match="entry 7"):
        chaos["verify"](data, key_file)
