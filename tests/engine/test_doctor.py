"""What the doctor finds of each thing that can be wrong, and that a sound installation stays as it is."""

from __future__ import annotations

import datetime as dt
import json
import os

import pytest
from certificates import Authority
from click.testing import CliRunner
from servers import Clock, open_engine, plugins, write_catalog

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.cli import main
from segserver.config import Config, TlsSettings
from segserver.engine import doctor
from segserver.privacy.keyring import create_file, new_keyring
from segserver.rules.times import from_datetime

CATALOG = {"catalog.yaml": "purposes: {care: {legal_basis: contract, categories: [demographic]}}"}
NOW_US = Clock()()


@pytest.fixture
def config(tmp_path) -> Config:
    """A sound installation without a server."""
    engine = open_engine(tmp_path, CATALOG)
    entry = Entry(time=timestamp_us(NOW_US), kind=Kind.SERVER_STARTED)
    for _ in range(3):
        engine.store.writer.write_blocking(None, [encode(entry)])
    engine.close()
    return engine.config


@pytest.fixture(autouse=True)
def only_own_plugins(monkeypatch):
    monkeypatch.setattr(doctor, "load_plugins", lambda _: plugins())


def states(config, now_us=NOW_US):
    return {(finding.check, finding.state) for finding in doctor.examine(config, now_us)}


def problem(config, now_us=NOW_US):
    """The only thing that is wrong, with what to do."""
    (found,) = [finding for finding in doctor.examine(config, now_us) if finding.state == "failed"]
    assert found.do
    return found


def test_a_sound_installation(config):
    before = config.database_path.read_bytes()
    found = states(config)
    assert {state for _, state in found} <= {"ok", "warning"}
    assert {check for check, _ in found} == set(doctor.CHECKS)
    assert config.database_path.read_bytes() == before
    assert sorted(
        path.name for path in config.data_dir.iterdir() if not path.name.endswith(("-wal", "-shm"))
    ) == [
        "dev.key",
        "keyring.json",
        "segserver.db",
        "start.lock",
        "verified.checkpoint",
    ]


def test_an_exposed_file(config):
    config.dev_key_path.chmod(0o640)
    assert "dev.key" in problem(config).says


def test_a_folder_that_others_can_change(config):
    config.data_dir.chmod(0o777)
    assert problem(config).do == f"chmod 700 {config.data_dir}"


def test_a_wrong_keyring(config):
    config.keyring_path.unlink()
    create_file(config.keyring_path, new_keyring())
    found = {
        finding.check: finding for finding in doctor.examine(config, NOW_US) if finding.state == "failed"
    }
    assert "not the one of this database" in found["keys and store"].says
    assert found["keys and store"].do == doctor.REMEDIES["KEYRING_WRONG"]


@pytest.mark.parametrize("kept_bytes", [0, 1, 60, -2])
def test_a_cut_off_keyring(config, kept_bytes):
    config.keyring_path.write_bytes(config.keyring_path.read_bytes()[:kept_bytes])
    assert problem(config).do == doctor.REMEDIES["KEYRING_DAMAGED"]


def test_no_keyring(config):
    config.keyring_path.unlink()
    assert problem(config).do == doctor.REMEDIES["KEYRING_MISSING"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_cut_off_database(config, share):
    size = config.database_path.stat().st_size
    os.truncate(config.database_path, int(size * share))
    assert ("store", "failed") in states(config)


def test_a_clock_that_stepped_back(config):
    found = problem(config, NOW_US - 3_600_000_000)
    assert (found.check, found.says) == ("clock", "the clock is 3600 s behind the newest entry of the log")


def test_an_old_key(config):
    later_us = new_keyring().created_us[1] + 400 * 86_400_000_000
    warnings = [f for f in doctor.examine(config, later_us) if f.state == "warning"]
    assert any("rotate" in finding.do for finding in warnings)


@pytest.mark.parametrize(
    ("days", "state", "says"),
    [
        (31, "ok", "in 31 days"),
        (29, "warning", "in 29 days"),
        (0, "warning", "in 0 days"),
        (-1, "failed", "ended"),
    ],
)
def test_a_certificate_that_ends(config, tmp_path, days, state, says):
    now_us = from_datetime(dt.datetime.now(dt.UTC))
    lasts = dt.timedelta(days=40)
    file, key = Authority().server(lasts=lasts).write(tmp_path, "server")
    secured = config.model_copy(update={"tls": TlsSettings(cert_file=file, key_file=key)})
    later_us = now_us + (40 - days) * 86_400_000_000 - 60_000_000
    (found,) = [one for one in doctor.examine(secured, later_us) if one.check == "certificate"]
    assert (found.state, says in found.says, bool(found.do)) == (state, True, state != "ok")


@pytest.mark.parametrize("text", [None, "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_certificate_that_can_not_be_read(config, tmp_path, text):
    file = tmp_path / "server.pem"
    if text is not None:
        file.write_text(text)
    secured = config.model_copy(update={"tls": TlsSettings(cert_file=file, key_file=file)})
    (found,) = [one for one in doctor.examine(secured, NOW_US) if one.check == "certificate"]
    assert (found.state, bool(found.do)) == ("failed", True)


def test_a_server_in_the_clear_that_others_reach(config):
    clear = config.model_copy(update={"listen": "0.0.0.0:50051", "insecure": True})
    assert ("certificate", "warning") in states(clear)


def test_a_log_that_was_rolled_back_since_the_last_visit(config, tmp_path):
    kept = config.database_path.read_bytes()
    assert ("log", "ok") in states(config)
    engine = open_engine(tmp_path)
    engine.store.writer.write_blocking(None, [encode(Entry(time=timestamp_us(NOW_US), kind=Kind.AUDIT_READ))])
    engine.close()
    assert ("log", "ok") in states(config)
    config.database_path.write_bytes(kept)
    assert problem(config).do == doctor.REMEDIES["LOG_ROLLED_BACK"]


def test_it_reads_the_log_on_from_where_it_was(config):
    def range_read():
        return next(f.says for f in doctor.examine(config, NOW_US) if f.check == "log")

    first = range_read()
    assert first.startswith("entries 0 to ")
    assert range_read().startswith(f"entries {first.split()[3]} to ")


@pytest.mark.parametrize("text", ["purposes: [", "segments: [{id: a, rule: x}]"])
def test_a_catalog_with_problems(config, text):
    write_catalog(config.catalog_dir, {"catalog.yaml": text})
    assert problem(config).check == "catalog"


def test_a_full_or_read_only_disk(config, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", refuse)
    assert "No space left" in problem(config).says


def test_a_slow_disk_is_a_warning(config, monkeypatch):
    monkeypatch.setattr(doctor, "sync_seconds", lambda _: 0.5)
    assert any("500.00 ms" in f.says and f.state == "warning" for f in doctor.examine(config, NOW_US))


def test_an_affected_sqlite(config, monkeypatch):
    monkeypatch.setattr(doctor, "sqlite3", type("Old", (), {"sqlite_version": "3.51.2"}))
    assert problem(config).do == "pip install --upgrade pysqlite3"


def test_the_command(config):
    sound = CliRunner().invoke(main, ["doctor", "--data-dir", str(config.data_dir), "--json"])
    assert sound.exit_code == 0, sound.output
    assert json.loads(sound.stdout)["sound"]
    config.keyring_path.chmod(0o644)
    told = CliRunner().invoke(main, ["doctor", "--data-dir", str(config.data_dir)])
    assert told.exit_code == 1
    assert "→ chmod 600" in told.stdout


def test_nothing_there_yet(tmp_path):
    found = {(f.check, f.state): f for f in doctor.examine(Config(data_dir=tmp_path / "none"), NOW_US)}
    assert ("files", "failed") in found
    assert ("store", "skipped") in found
    assert ("catalog", "failed") in found
    assert not (tmp_path / "none").exists()
