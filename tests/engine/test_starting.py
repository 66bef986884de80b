"""First starts: several at once, and ones that are killed in the middle."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading

import pytest
from processes import Process, until
from servers import open_engine, write_catalog

from segserver.engine import starting
from segserver.engine.callers import hash_key
from segserver.errors import FailedPrecondition
from segserver.storage import callers

CATALOG = {"catalog.yaml": "purposes: {care: {legal_basis: contract, categories: [demographic]}}"}

STARTING = """
import sys
from pathlib import Path
from segserver.config import Config
from segserver.engine import build
from segserver.strategies.manager import Installed

data, catalog = map(Path, sys.argv[1:])
print("ready", flush=True)
sys.stdin.readline()
config = Config(data_dir=data, catalog_dir=catalog, dev=True, listen="127.0.0.1:0")
build(config, installed=Installed()).close()
"""


def test_several_first_starts_at_once_make_one_installation(tmp_path):
    catalog = write_catalog(tmp_path / "catalog", CATALOG)
    command = [sys.executable, "-c", STARTING, str(tmp_path / "data"), str(catalog)]
    pipe = subprocess.PIPE
    starts = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]  # noqa: S603
    for start in starts:
        assert start.stdout.readline() == "ready\n"
    for start in starts:
        start.stdin.write("\n")
        start.stdin.flush()
    for start in starts:
        start.communicate(timeout=60)
        assert start.returncode == 0
    engine = open_engine(tmp_path)
    try:
        assert engine.catalogs.serving.row.version == 1
        key = engine.config.dev_key_path.read_text()
        assert callers.find(engine.store.reader, hash_key(key)) is not None
        assert [row.name for row in callers.listing(engine.store.reader)] == ["dev"]
    finally:
        engine.close()


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("step", ["new_key", "CallerDesk", "_check_keys", "open_store", "new_keyring"])
@pytest.mark.parametrize("before", [True, False])
def test_a_first_start_that_is_cut_off_is_completed_by_the_next(tmp_path, monkeypatch, step, before):
    whole = getattr(starting, step)

    def cut(*arguments, **options):
        if not before:
            whole(*arguments, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(starting, step, cut)
        with pytest.raises(Killed):
            open_engine(tmp_path, CATALOG)
    engine = open_engine(tmp_path, CATALOG)
    try:
        key = engine.config.dev_key_path.read_text()
        assert callers.find(engine.store.reader, hash_key(key)) is not None
    finally:
        engine.close()


def test_a_development_key_that_is_gone_is_missed(tmp_path):
    engine = open_engine(tmp_path, CATALOG)
    path = engine.config.dev_key_path
    engine.close()
    path.unlink()
    with pytest.raises(FailedPrecondition, match="key file") as caught:
        open_engine(tmp_path, CATALOG)
    assert caught.value.reason == "DEV_KEY_MISSING"
    assert not path.exists()


def test_a_start_waits_for_one_in_progress(tmp_path):
    config = open_engine(tmp_path, CATALOG)
    config.close()
    held, done = threading.Event(), threading.Event()

    def start():
        held.wait()
        with starting.start_lock(config.config):
            done.set()

    waiting = threading.Thread(target=start)
    waiting.start()
    with starting.start_lock(config.config):
        held.set()
        assert not done.wait(0.05)
    waiting.join(10)
    assert done.is_set()


def test_kills_during_the_first_start_leave_nothing_that_can_not_start(tmp_path):
    rng = random.Random(7)
    write_catalog(tmp_path / "catalog", CATALOG)
    for _ in range(3):
        started = Process(tmp_path)
        until(started.data.exists)
        with pytest.raises(subprocess.TimeoutExpired):
            started.process.wait(rng.uniform(0, 0.3))
        started.tell(signal.SIGKILL)
        started.process.wait()
    started = Process(tmp_path)
    with started.client() as client:
        assert client.catalog().version.version == 1
    assert started.stop() == 0
