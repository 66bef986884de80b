"""What the server does beside answering: sweeping, and wrapping again after a rotation, killed or not."""

from __future__ import annotations

import datetime as dt
import json
import signal
import subprocess
import sys
import time

import pytest
from servers import NOON, Clock, entries, open_engine, running, write_catalog

from segserver.audit.entry import Kind
from segserver.engine.keys import KeyDesk
from segserver.engine.upkeep import SWEEPER
from segserver.errors import Unavailable
from segserver.model import Outcome
from segserver.privacy.keys import REWRAP_ROWS, KeyProvider, file_provider
from segserver.privacy.profiles import Profiles
from segserver.privacy.vault import Vault
from segserver.storage.subjects import Subjects
from segserver.strategies.manager import load

CATALOG = """
purposes:
  care: {legal_basis: contract, categories: [location, demographic]}
attributes:
  city: {type: string, category: location}
  age: {type: int, category: demographic}
segments:
  - {id: people/berliners, rule: city == "Berlin"}
  - {id: people/adults, rule: age >= 18}
policy:
  retention: {location: 30d}
"""
SUBJECTS = 16 * REWRAP_ROWS
WAIT_S = 60.0


def outcomes(evaluation) -> dict[str, Outcome]:
    return {result.segment: result.outcome for result in evaluation.results}


def stored(engine) -> list[dict]:
    """What is sealed in the rows, expired or not."""
    vault = Vault(_provider(engine).load())
    return [vault.open(row).profile.values for page in Subjects().pages(engine.store.reader) for row in page]


def _provider(engine) -> KeyProvider:
    return file_provider(engine.config.keyring_path)


async def test_a_value_is_unusable_when_it_expires_and_swept_later(tmp_path):
    clock = Clock()
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG}, clock=clock)
    async with running(engine, clock) as server:
        client = server.client()
        await client.upsert_profile("jo", {"city": "Berlin", "age": 44})
        clock.time = NOON + dt.timedelta(days=29)
        await client.upsert_profile("mo", {"city": "Berlin"})
        clock.time = NOON + dt.timedelta(days=30, microseconds=-1)
        assert engine.upkeep.sweep() == 0
        before = await client.evaluate("jo", "care")
        assert outcomes(before) == {"people/adults": Outcome.MEMBER, "people/berliners": Outcome.MEMBER}
        clock.time = NOON + dt.timedelta(days=30)
        expired = outcomes(await client.evaluate("jo", "care"))
        assert expired == {"people/adults": Outcome.MEMBER, "people/berliners": Outcome.UNKNOWN}
        token = server.entries()[-1].subject
        assert (await client.get_profile("jo")).attributes == {"age": 44}
        assert json.loads(await client.export_subject("jo"))["attributes"].keys() == {"age"}
        assert {"city": "Berlin", "age": 44} in stored(engine)
        assert engine.upkeep.sweep() == 1
        assert sorted(map(str, stored(engine))) == ["{'age': 44}", "{'city': 'Berlin'}"]
        entry = server.entries()[-1]
        assert (entry.kind, entry.caller, entry.subject) == (Kind.PROFILE_WRITTEN, SWEEPER, token)
        assert entry.read == ("city",)
        assert outcomes(await client.evaluate("jo", "care")) == expired
        assert engine.upkeep.sweep() == 0


def test_both_run_in_the_background_and_end_with_the_engine(tmp_path):
    clock = Clock()
    settings = {"upkeep": {"sweep_interval_s": 0.01, "rewrap_interval_s": 0.01}}
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG}, clock=clock, **settings)
    fill(engine, 3)
    clock.time = NOON + dt.timedelta(days=30)
    desk = KeyDesk(engine.config, load(entry_points=[]), engine.store, clock)
    desk.rotate()
    assert [status.data_keys for status in desk.status()] == [3, 0]
    engine.upkeep.start()
    until(lambda: [status.data_keys for status in desk.status()] == [0, 3])
    until(lambda: stored(engine) == [{"age": 44}] * 3)
    until(lambda: sum(entry.caller == SWEEPER for entry in entries(engine)) == 3)
    engine.close()
    with pytest.raises(Unavailable):
        engine.store.writer.write_blocking()


def test_a_killed_server_is_resumed_by_the_next(tmp_path):
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG})
    fill(engine, SUBJECTS)
    desk = KeyDesk(engine.config, load(entry_points=[]), engine.store, Clock())
    desk.rotate()
    with serving(engine.config.data_dir, tmp_path) as server:
        until(lambda: server.poll() is not None or desk.status()[1].data_keys > 0)
        server.send_signal(signal.SIGKILL)
        server.wait()
    old, new = (status.data_keys for status in desk.status())
    assert old + new == SUBJECTS
    assert new > 0
    assert old > 0, "the server was too quick to be killed in the middle: let there be more subjects"
    with serving(engine.config.data_dir, tmp_path) as server:
        until(lambda: server.poll() is not None or desk.status()[0].data_keys == 0)
        server.terminate()
        assert server.wait() == 0
    desk.retire(1)
    assert len(stored(engine)) == SUBJECTS
    engine.close()


def fill(engine, subjects: int) -> None:
    profiles = Profiles(Vault(_provider(engine).load()), Subjects())
    now_us = Clock()()

    def work(connection):
        for number in range(subjects):
            key = b"\x01" + number.to_bytes(32)
            profiles.merge(key, {"city": "Berlin", "age": 44}, now_us)(connection)

    engine.store.writer.write_blocking(work)


def serving(data_dir, folder) -> subprocess.Popen:
    catalog = write_catalog(folder / "catalog", {"catalog.yaml": CATALOG.replace("30d", "36500d")})
    command = [sys.executable, "-m", "segserver", "serve", "--dev", "--data-dir", str(data_dir)]
    return subprocess.Popen([*command, "--listen", "127.0.0.1:0", "--catalog", str(catalog)])  # noqa: S603


def until(holds) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
