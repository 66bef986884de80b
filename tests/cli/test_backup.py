"""``segserver backup`` and ``segserver store`` on real stores, and ``--store`` of the other commands."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner
from servers import open_engine
from stores import postgres_server, postgres_url, store_url

from segserver.audit.checkpoints import sign
from segserver.audit.note import NoteKey
from segserver.cli import main
from segserver.engine.audit import log_signer
from segserver.engine.callers import CallerDesk
from segserver.privacy.keyring import load_file

__all__ = ["postgres_server", "postgres_url", "store_url"]

CATALOG = {"catalog.yaml": "purposes:\n  care: {legal_basis: contract, categories: [demographic]}\n"}


def run(*words, code=0, **environment):
    result = CliRunner(env={"COLUMNS": "200", **environment}).invoke(main, list(map(str, words)))
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def write_store(folder, store=""):
    """A store with callers and a signed log; its data directory."""
    engine = open_engine(folder, CATALOG, store=store)
    for number in range(5):
        CallerDesk(engine.store.writer, engine.now_us).add(f"caller-{number}", ["evaluator"], ["care"])
    engine.close()
    return engine.config.data_dir


def test_a_backup_is_made_verified_and_restored(tmp_path, store_url):
    data, backup = write_store(tmp_path, store_url), tmp_path / "monday.db"
    place = {"SEGSERVER_DATA_DIR": str(data), "SEGSERVER_STORE": store_url}
    assert "bytes" in run("backup", "create", backup, **place)
    assert "is there already" in run("backup", "create", backup, code=1, **place)
    assert "the log verifies: 7 entries" in run("backup", "verify", backup, **place)
    found = json.loads(run("backup", "verify", backup, "--json", **place))
    assert found["rows"]["callers"] == 6
    assert found["missing"] == 0
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    os.link(data / "keyring.json", fresh / "keyring.json")
    restored = run("backup", "restore", backup, "--data-dir", fresh)
    assert "the log ends at entry 7" in restored
    assert "caller-4" in run("callers", "list", "--data-dir", fresh)
    assert "signed up to 7" in run("audit", "verify", "--data-dir", fresh)
    assert "is there already" in run("backup", "restore", backup, "--data-dir", fresh, code=1)


def test_a_restore_that_would_lose_what_the_witness_saw_needs_a_word(tmp_path):
    data, backup, state = write_store(tmp_path), tmp_path / "monday.db", tmp_path / "witness"
    run("backup", "create", backup, "--data-dir", data)
    engine = open_engine(tmp_path)
    CallerDesk(engine.store.writer, engine.now_us).add("late", ["evaluator"], ["care"])
    signer = log_signer(load_file(engine.config.keyring_path))
    state.write_text(engine.store.writer.write_blocking(lambda c: sign(c, signer)).result)
    engine.close()
    options = ("--witness", state, "--data-dir", data)
    assert "entries that the witness saw are not in it" in run("backup", "verify", backup, *options)
    for path in data.glob("segserver.db*"):
        path.unlink()
    assert "--older" in run("backup", "restore", backup, *options, code=1)
    assert not (data / "segserver.db").exists()
    run("backup", "restore", backup, "--older", *options)
    assert "late" not in run("callers", "list", "--data-dir", data)


def test_a_store_moves_to_postgresql_and_the_commands_follow_it(tmp_path, postgres_url):
    data = write_store(tmp_path)
    key = tmp_path / "log.key"
    key.write_text(str(log_signer(load_file(data / "keyring.json")).key))
    assert NoteKey.parse(key.read_text())
    move = ("store", "migrate", "--from", f"sqlite:{data / 'segserver.db'}", "--to", postgres_url)
    told = run(*move, "--data-dir", data)
    assert "the log verifies: 7 entries, signed up to 7" in told
    assert "not empty" in run(*move, "--key", key, code=1)
    place = {"SEGSERVER_DATA_DIR": str(data), "SEGSERVER_STORE": postgres_url}
    assert "caller-4" in run("callers", "list", **place)
    assert "is revoked" in run("callers", "revoke", "caller-4", **place)
    assert "current" in run("keys", "status", **place)
    assert "signed up to 7" in run("audit", "verify", **place)
    assert "indexed 0 blocks" in run("audit", "reindex", **place)
    assert "there is a database already" in run(
        "keys", "init", "--data-dir", tmp_path / "new", "--store", postgres_url, code=1
    )
    back = tmp_path / "back.db"
    rows = json.loads(
        run(
            "store", "migrate", "--from", postgres_url, "--to", f"sqlite:{back}", "--json", "--data-dir", data
        )
    )["rows"]
    assert rows["callers"] == 6


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("callers", "list", "--store"), 2),
        (("serve", "--store"), 2),
        (("store", "migrate", "--to", "sqlite:x", "--from"), 2),
    ],
)
def test_a_password_is_not_taken_as_an_argument_and_never_shown(tmp_path, words, code):
    for url in ("postgresql://me:s3cret@127.0.0.1:1/x", "postgresql:///x?host=h&password=s3cret"):
        told = run(*words, url, code=code, SEGSERVER_DATA_DIR=str(tmp_path))
        assert "PGPASSFILE" in told
        assert "s3cret" not in told


def test_a_password_of_the_environment_is_never_shown(tmp_path):
    for url in (
        "postgresql://me:s3cret@127.0.0.1:1/x",
        "mysql://me:s3cret@h/x",
        "postgresql://me:s3cret@h:x/x",
    ):
        result = CliRunner(env={"SEGSERVER_STORE": url, "SEGSERVER_DATA_DIR": str(tmp_path)}).invoke(
            main, ["callers", "list", "--json"]
        )
        assert result.exit_code in (1, 2, 3)
        assert "s3cret" not in result.output


def test_a_missing_source_is_named(tmp_path, postgres_url):
    told = run("store", "migrate", "--from", f"sqlite:{tmp_path / 'none.db'}", "--to", postgres_url, code=1)
    assert "none.db" in told
    assert "STORE" not in told
