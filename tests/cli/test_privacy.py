"""The commands about keys, consent and subjects' rights, against a real server."""

from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner
from servers import open_engine, running

from segserver.audit.entry import Kind
from segserver.cli import main
from segserver.privacy.keyring import load_file

CATALOG = """
purposes:
  marketing: {title: Newsletter, legal_basis: consent, categories: [demographic], direct_marketing: true}
attributes:
  age: {type: int, category: demographic}
segments:
  - {id: people/adults, rule: age >= 18}
"""


@pytest.fixture
async def server(tmp_path):
    async with running(open_engine(tmp_path, {"catalog.yaml": CATALOG})) as server:
        await server.client().upsert_profile("jo", {"age": 44})
        yield server


@pytest.fixture
def run(server):
    environment = {
        "SEGSERVER_ADDRESS": server.address,
        "SEGSERVER_DATA_DIR": str(server.engine.config.data_dir),
        "COLUMNS": "160",
    }

    async def invoke(*arguments: object, code: int = 0) -> str:
        words = [str(argument) for argument in arguments]
        result = await asyncio.to_thread(CliRunner(env=environment).invoke, main, words)
        assert result.exit_code == code, result.output
        return result.output

    return invoke


async def test_consent_from_grant_to_history(run):
    granted = await run("consent", "grant", "jo", "marketing", "--method", "web-form", "--jurisdiction", "DE")
    assert granted == "record 1: granted marketing\nstands as granted\n"
    assert "record 2: withdrawn marketing" in await run("consent", "withdraw", "jo", "marketing")
    assert "record 3: objected *marketing" in await run("consent", "object", "jo")
    assert "record 4: signal set gpc" in await run("consent", "signal", "jo", "gpc")
    assert "stands as withdrawn" in await run(
        "consent", "grant", "jo", "marketing", "--at", "2026-01-01", "--expires", "2030-01-01"
    )
    shown = await run("consent", "show", "jo")
    for words in (
        "marketing",
        "withdrawn",
        "objects to all marketing since",
        "signals: gpc",
        "jurisdiction: DE",
    ):
        assert words in shown
    records = json.loads(await run("consent", "history", "jo", "--json"))
    assert [record["number"] for record in records] == ["5", "4", "3", "2", "1"]
    assert "web-form" in await run("consent", "history", "jo")
    refused = await run("consent", "refuse", "jo", "nothing", code=5)
    assert "no such purpose" in refused


async def test_a_receipt_file_is_recorded(run, tmp_path):
    reply = json.loads(await run("consent", "grant", "jo", "marketing", "--explicit", "--json"))
    file = tmp_path / "receipt.json"
    file.write_text(reply["receipt"])
    assert "record 2: granted marketing" in await run("consent", "receipt", "jo", file)


async def test_a_subject_goes_out_is_erased_and_comes_back(run, tmp_path):
    file = tmp_path / "jo.json"
    await run("subject", "export", "jo", "--to", file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["attributes"]["age"]["value"] == 44
    assert "joined" in await run("subject", "alias", "jo", "email:jo@example.org")
    erased = await run("subject", "erase", "email:JO@example.org", "--yes")
    assert "aliases: 1, consent records: 0, events: 0, lists: 0, memberships: 0, profiles: 1" in erased
    assert "nothing was stored" in await run("subject", "erase", "jo", "--yes")
    await run("subject", "import", "jo", file)
    assert json.loads(await run("subject", "export", "jo"))["attributes"]["age"]["value"] == 44


async def test_restriction_requests_and_identification(run, server):
    await run("subject", "restrict", "jo", "--reason", "contested")
    assert "restricted since" in await run("consent", "show", "jo")
    await run("subject", "restrict", "jo", "--lift")
    entered = json.loads(await run("subject", "request", "jo", "access", "--json"))
    assert entered["request_id"] in await run("subject", "requests")
    assert await run("subject", "requests", "--overdue", "--json") == "[]\n"
    await run("subject", "done", entered["request_id"])
    await run("subject", "done", entered["request_id"], code=5)
    token = entered["audit_token"]
    asked = await run("subject", "identify", token, "--reason", "A court order names this entry.")
    request_id = asked.split(":")[0]
    assert "another officer" in await run("subject", "identify", request_id, "--approve", code=4)
    await run("subject", "identify", token, code=2)


async def test_a_subject_sees_who_asked(run, server):
    await server.client().evaluate("jo", "marketing")
    shown = await run("subject", "history", "jo")
    for words in ("evaluation", "marketing", "1 withheld", "age", "profile written"):
        assert words in shown
    entries = json.loads(await run("subject", "history", "jo", "--count", 1, "--json"))
    assert [entry["entry"]["kind"] for entry in entries] == ["audit_read"]


async def test_the_processing_record_in_both_forms(run):
    assert "## Newsletter" in await run("privacy", "record")
    assert json.loads(await run("privacy", "record", "--json"))["activities"][0]["purpose"] == "marketing"


async def test_keys_are_rotated_and_retired_beside_a_running_server(run, server):
    assert (await run("keys", "status")).split()[-3:] == ["1", "current", "1"]
    assert "version 2 is the current one" in await run("keys", "rotate")
    status = json.loads(await run("keys", "status", "--json"))
    assert [(v["version"], v["current"], v["data_keys"]) for v in status] == [(1, False, 0), (2, True, 1)]
    assert (await server.client().get_profile("jo")).attributes == {"age": 44}
    await run("keys", "retire", 1)
    await server.client().upsert_profile("mo", {"age": 3})
    status = json.loads(await run("keys", "status", "--json"))
    assert [(v["version"], v["data_keys"]) for v in status] == [(2, 2)]
    assert "is the current" in await run("keys", "retire", 2, code=1)
    await run("keys", "rewrap")
    kinds = [entry.kind for entry in server.entries()]
    assert kinds.count(Kind.KEY_ROTATED) == kinds.count(Kind.KEY_RETIRED) == 1


async def test_a_rotation_may_be_left_to_the_server(run, server):
    assert await run("keys", "rotate", "--no-wait") == "version 2 is the current one\n"
    assert "remain to be wrapped again: 1" in await run("keys", "status")
    await run("keys", "retire", 1, code=1)
    assert server.engine.upkeep.rewrap() == 1
    assert "remain" not in await run("keys", "status")
    await run("keys", "retire", 1)


def test_a_keyring_is_made_once_and_never_beside_a_database(tmp_path):
    def init(code: int) -> str:
        result = CliRunner().invoke(main, ["keys", "init", "--data-dir", str(tmp_path / "data")])
        assert result.exit_code == code, result.output
        return result.output

    init(0)
    keyring = tmp_path / "data" / "keyring.json"
    before = load_file(keyring)
    assert "never overwritten" in init(1)
    assert load_file(keyring) == before
    keyring.unlink()
    (tmp_path / "data" / "segserver.db").touch()
    assert "restore" in init(1)
    assert not keyring.exists()
