"""``segserver audit`` against a real server, and without one."""

from __future__ import annotations

import asyncio
import json

import pytest
from click.testing import CliRunner
from servers import open_engine, running

from segserver.cli import main
from segserver.storage import log

CATALOG = """
purposes:
  care: {legal_basis: contract, categories: [demographic]}
attributes:
  age: {type: int, category: demographic}
segments:
  - {id: people/adults, rule: age >= 18}
"""


@pytest.fixture
async def server(tmp_path):
    async with running(open_engine(tmp_path, {"catalog.yaml": CATALOG})) as server:
        for subject in ("jo", "kim"):
            await server.client().upsert_profile(subject, {"age": 44})
            await server.client().evaluate(subject, "care")
        yield server


@pytest.fixture
def run(server):
    environment = {
        "SEGSERVER_ADDRESS": server.address,
        "SEGSERVER_DATA_DIR": str(server.engine.config.data_dir),
        "COLUMNS": "200",
    }

    async def invoke(*arguments: object, code: int = 0, stdin: str = "") -> str:
        words = ["audit", *map(str, arguments)]
        result = await asyncio.to_thread(CliRunner(env=environment).invoke, main, words, stdin)
        assert result.exit_code == code, result.output
        return result.stderr if code else result.stdout

    return invoke


async def entries(run, *filters, **options):
    return json.loads(await run("search", "--json", *filters, **options))


async def test_search_by_what_entries_say(run):
    assert len(await entries(run, "--kind", "evaluation")) == 2
    assert len(await entries(run, "--kind", "evaluation", "--count", 1)) == 1
    assert await entries(run, "--after", "2030-01-01") == []
    assert await entries(run, "--segment", "people/adults", "--outcome", "withheld") == []
    assert "evaluation" in await run("search", "--purpose", "care")
    await run("search", "--after", "yesterday", code=2)


async def test_an_unknown_kind_is_answered_with_the_kinds_once(run):
    assert (await run("search", "--kind", "evaluations", code=1)).count("batch_evaluation") == 1


async def test_a_subjects_id_comes_from_a_file_or_by_typing(run, tmp_path):
    file = tmp_path / "subject"
    file.write_text("jo\n")
    found = await entries(run, "--subject-file", file)
    assert [item["entry"]["kind"] for item in found] == ["evaluation", "profile_written"]
    (read, *others) = await entries(run, "--subject-file", "-", stdin="jo\n")
    assert (read["entry"]["kind"], others) == ("audit_read", found)
    reads = await entries(run, "--token", found[0]["entry"]["subject"])
    assert [item["entry"]["kind"] for item in reads[:2]] == ["audit_read", "audit_read"]
    assert reads[2:] == found


async def test_show_tail_and_counts(run):
    (newest, _) = await entries(run, "--kind", "evaluation")
    assert json.loads(await run("show", newest["log_index"])) == newest["entry"]
    await run("show", 100_000, code=5)
    tail = (await run("tail", "--once")).splitlines()
    assert "audit_read" not in " ".join(tail)
    assert tail[-1].startswith(f"{newest['log_index']}  ")
    assert json.loads(await run("stats", "--json", "--kind", "evaluation"))["purpose"] == {"care": 2}
    assert "care" in await run("stats")


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "ocsf"])
async def test_export(run, tmp_path, form):
    file = tmp_path / "entries"
    await run("export", "--format", form, "--to", file, "--kind", "evaluation")
    assert file.stat().st_size > 500
    assert file.stat().st_mode & 0o077 == 0
    if form == "jsonl":
        assert [json.loads(line)["entry"]["kind"] for line in file.read_text().splitlines()] == [
            "evaluation"
        ] * 2


async def test_a_proof_verifies_without_server_and_database(run, tmp_path):
    proof, key = tmp_path / "1.tlog-proof", tmp_path / "log.key"
    key.write_text(await run("key"))
    (newest, _) = await entries(run, "--kind", "evaluation")
    await run("prove", newest["log_index"], "--to", proof)
    assert await run("prove", newest["log_index"]) != ""
    assert json.loads(await run("verify", "--proof", proof, "--key", key)) == newest["entry"]
    await run("verify", "--proof", proof, code=2)
    proof.write_text(proof.read_text().replace("\nindex ", "\nindex 1"))
    await run("verify", "--proof", proof, "--key", key, code=1)


async def test_the_log_verifies_and_goes_on_from_there(run, tmp_path, server):
    state, key = tmp_path / "verified", tmp_path / "log.key"
    key.write_text(await run("key"))
    assert "entries 0 to " in await run("verify", "--checkpoint", state)
    assert "entries 0 to " in await run("verify", "--key", key, "--checkpoint", state)
    resumed = await run("verify", "--checkpoint", state, "--resume")
    assert "entries 0 to " not in resumed
    await run("verify", "--resume", code=2)
    connection = server.engine.store.database.connect()
    for log_index in (2, 3):
        log.split(connection, log_index)
    connection.execute("UPDATE log_groups SET payloads = x'00' WHERE first = 2")
    connection.close()
    await run("verify", code=1)


async def test_the_index_is_made_anew(run, tmp_path):
    assert (await run("reindex")).startswith("indexed 0 blocks")
    await run("reindex", "--data-dir", tmp_path / "nowhere", code=1)


async def test_a_witness_refuses_another_past(run, tmp_path, server):
    state, key = tmp_path / "seen", tmp_path / "log.key"
    key.write_text(await run("key"))
    assert "consistent" in await run("witness", state, "--key", key)
    await run("stats")
    assert "consistent" in await run("witness", state, "--key", key)
    state.write_text(state.read_text().replace("\n\n", "\n", 1))
    await run("witness", state, "--key", key, code=1)


async def test_pruning_asks_first_and_keeps_what_is_young(run):
    await run("prune", "--before", "2020-01-01", code=1)
    assert await run("prune", "--before", "2020-01-01", "--yes") == "dropped 0 payloads\n"
    await run("prune", "--before", "2999-01-01", "--yes", code=1)


async def test_replay(run, server):
    (newest, _) = await entries(run, "--kind", "evaluation")
    await server.client().upsert_profile("kim", {"age": 4})
    told = await run("replay", newest["log_index"], "--subject-file", "-", stdin="kim\n")
    assert told.startswith("not the same: INPUTS_CHANGED")
    assert "people/adults: member then" in told
    await run("replay", newest["log_index"], "--subject-file", "-", code=1, stdin="jo\n")
