"""The operator's commands on a data directory: callers, and a server that can't start."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from segserver.cli import main

CATALOG = str(Path(__file__).resolve().parents[2] / "examples" / "catalog")


@pytest.fixture
def run(tmp_path):
    def invoke(*arguments):
        return CliRunner(env={"SEGSERVER_DATA_DIR": str(tmp_path)}).invoke(main, arguments)

    return invoke


def test_callers_can_be_added_before_the_first_start(run):
    assert run("keys", "init").exit_code == 0
    added = run("callers", "add", "shop", "--role", "writer", "--role", "evaluator", "--purpose", "sales")
    assert added.stdout.startswith("segserver_")
    team = run("callers", "add", "team", "--role", "analyst", "--days", "9", "--json")
    assert json.loads(team.stdout)["key"].startswith("segserver_")
    assert json.loads(run("callers", "revoke", "team", "--json").stdout) == {
        "name": "team",
        "state": "revoked",
    }
    listed = json.loads(run("callers", "list", "--json").stdout)
    assert [(row["name"], row["roles"], row["purposes"], row["state"]) for row in listed] == [
        ("shop", ["evaluator", "writer"], ["sales"], "active"),
        ("team", ["analyst"], [], "revoked"),
    ]
    assert listed[0]["keys"] == [{"expires": None}]
    assert listed[1]["keys"][0]["expires"] > listed[1]["created"]
    assert "evaluator writer" in run("callers", "list").stdout


def test_a_key_is_rotated_with_a_grace_period(run):
    run("keys", "init")
    first = run("callers", "add", "shop", "--role", "evaluator").stdout
    second = run("callers", "rotate", "shop", "--grace-hours", "48", "--days", "90")
    assert second.stdout.startswith("segserver_")
    assert second.stdout != first
    assert "shown once" in second.stderr
    (shop,) = json.loads(run("callers", "list", "--json").stdout)
    former, newest = (key["expires"] for key in shop["keys"])
    assert former < newest
    assert json.loads(run("callers", "rotate", "shop", "--json").stdout)["key"].startswith("segserver_")
    (shop,) = json.loads(run("callers", "list", "--json").stdout)
    assert len(shop["keys"]) == 2
    assert run("callers", "list").stdout.count("key until") == 1
    run("callers", "revoke", "shop")
    assert "is revoked" in run("callers", "rotate", "shop").stderr
    assert run("callers", "rotate", "nobody").exit_code == 5


def test_a_caller_may_come_with_a_certificate_in_place_of_a_key(run):
    run("keys", "init")
    add = ["callers", "add", "till", "--role", "evaluator", "--certificate"]
    added = run(*add, "spiffe://shop.example/till", "--certificate", "dns:till.shop.example")
    assert added.stdout == "till is added\n"
    (till,) = json.loads(run("callers", "list", "--json").stdout)
    assert till["certificates"] == ["dns:till.shop.example", "spiffe://shop.example/till"]
    assert (till["keys"], till["state"]) == ([], "active")
    assert "spiffe://shop.example/till" in run("callers", "list").stdout
    again = run("callers", "add", "other", "--role", "admin", "--certificate", "dns:till.shop.example")
    assert "is the certificate of till" in again.stderr
    assert run(*add, "till.shop.example").exit_code == 1
    assert run(*add, "dns:a.example", "--days", "3").exit_code == 2


def test_a_folder_without_keys_gets_no_database(run, tmp_path):
    refused = run("callers", "add", "shop", "--role", "admin")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: ")
    assert "keys init" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evalute"], "error: No such command 'evalute'. Did you mean 'evaluate'?"),
        (["callers", "ad"], "error: No such command 'ad'. Did you mean 'add'?"),
        (["callers", "add", "shop", "--role", "adminn"], "error: Invalid value for '--role'"),
        (["--verison"], "error: No such option '--verison'"),
        (["serve", "--listen", "127.0.0.1"], "error: the settings are wrong: listen: expected HOST:PORT"),
        (["serve", "--config", "nowhere.toml"], "error: nowhere.toml: No such file"),
    ],
)
def test_wrong_usage_is_told_like_every_error(run, arguments, message):
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert message in refused.stderr


def test_wrong_usage_is_told_before_anything_heavy_is_imported(tmp_path):
    code = (
        "import sys; from segserver.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 2, end.code\n"
        "heavy = {'grpc', 'polars', 'sqlite3', 'cel_expr_python', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    for arguments in (["callers", "add"], ["callers", "add", "x", "--role", "y"], ["serve", "--listen", "x"]):
        command = [sys.executable, "-c", code, *arguments]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # our own


def test_an_unusable_port_is_code_3_and_one_line(run, tmp_path):
    run("keys", "init")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, "-m", "segserver", "serve", "--data-dir", str(tmp_path)]
        command += ["--listen", address, "--catalog", CATALOG]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own
    assert ended.returncode == 3
    assert ended.stderr.startswith(f"error: can't listen on {address}: ")
    assert ended.stderr.count("\n") == 1


def test_a_missing_keyring_beside_a_database_is_one_to_restore(run, tmp_path):
    run("keys", "init")
    run("callers", "add", "shop", "--role", "admin")
    (tmp_path / "keyring.json").unlink()
    for arguments in (["serve", "--catalog", CATALOG], ["keys", "status"]):
        refused = run(*arguments)
        assert refused.exit_code == 1
        assert "restore it from its backup" in refused.stderr
        assert "keys init" not in refused.stderr
