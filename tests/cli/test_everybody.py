"""``segserver evaluate --all`` and the proofs of its results, against a real server."""

from __future__ import annotations

import asyncio
import csv
import json

import polars as pl
import pytest
from click.testing import CliRunner
from servers import open_engine, running

from segserver.cli import main
from segserver.engine import bulk

CATALOG = """
purposes:
  care: {legal_basis: contract, categories: [demographic]}
  other: {legal_basis: contract, categories: [demographic]}
attributes:
  age: {type: int, category: demographic}
  city: {type: string, category: demographic}
segments:
  - {id: people/adults, rule: age >= 18, purposes: [care]}
  - {id: people/leeds, rule: city == "Leeds", purposes: [care], legal_or_similar_effect: true}
"""
PEOPLE = {"jo": {"age": 44, "city": "Leeds"}, "kim": {"age": 30}, "lee": {"city": "York"}}


@pytest.fixture
async def server(tmp_path, monkeypatch):
    monkeypatch.setattr(bulk, "PAGE_SUBJECTS_MAX", 2)
    async with running(open_engine(tmp_path, {"catalog.yaml": CATALOG})) as server:
        for subject, attributes in PEOPLE.items():
            await server.client().upsert_profile(subject, attributes)
        yield server


@pytest.fixture
def run(server):
    environment = {
        "SEGSERVER_ADDRESS": server.address,
        "SEGSERVER_DATA_DIR": str(server.engine.config.data_dir),
        "COLUMNS": "200",
    }

    async def invoke(*arguments: object, code: int = 0, stdin: str = "") -> str:
        words = [str(argument) for argument in arguments]
        result = await asyncio.to_thread(CliRunner(env=environment).invoke, main, words, stdin)
        assert result.exit_code == code, result.output
        return result.stderr if code else result.stdout

    return invoke


def rows_of(file):
    """Token → outcomes and reasons, whatever the form."""
    if file.suffix == ".jsonl":
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        return {row["subject_token"]: (row["outcomes"], row["reasons"]) for row in rows}
    if file.suffix == ".csv":
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
    else:
        rows = pl.read_parquet(file).to_dicts()
    return {
        row["subject_token"]: (
            {name: row[name] for name in ("people/adults", "people/leeds")},
            json.loads(row["reasons"] or "{}"),
        )
        for row in rows
    }


@pytest.mark.parametrize("name", ["all.parquet", "all.csv", "all.jsonl"])
async def test_everybody_is_in_the_file_with_the_answer_of_one_at_a_time(run, server, tmp_path, name):
    file = tmp_path / name
    told = await run("evaluate", "--all", "--purpose", "care", "--to", file)
    assert told.startswith(f"wrote 3 subjects to {file}\nas of ")
    assert file.stat().st_mode & 0o077 == 0
    found = rows_of(file)
    assert len(found) == 3
    for subject in PEOPLE:
        alone = await server.client().evaluate(subject, "care")
        outcomes, reasons = found[alone.subject_token]
        assert outcomes == {result.segment: result.outcome.name for result in alone.results}
        assert ("people/adults" in reasons) is (subject == "lee")
        assert "a person must decide" in reasons["people/leeds"]


async def test_the_report_as_json_names_the_entries(run, server, tmp_path):
    file = tmp_path / "some"
    told = json.loads(
        await run(
            *("evaluate", "--all", "-p", "care", "-s", "people/adults", "--to", file),
            *("--format", "jsonl", "--json", "--at", "2026-01-01"),
        )
    )
    assert (told["subjects"], told["errors"], told["evaluate_time"]) == (3, 0, "2026-01-01T00:00:00Z")
    assert [server.entries()[place].details["page"] for place in told["entries"]] == ["0", "1"]
    assert {tuple(json.loads(line)["outcomes"]) for line in file.read_text().splitlines()} == {
        ("people/adults",)
    }


async def test_a_purpose_without_segments(run, tmp_path):
    file = tmp_path / "none.parquet"
    await run("evaluate", "--all", "--purpose", "other", "--to", file)
    assert pl.read_parquet(file).columns == ["subject_token", "reasons", "error"]


async def test_a_file_is_whole_or_as_it_was(run, server, tmp_path):
    file = tmp_path / "all.csv"
    file.write_text("from before")
    await run("evaluate", "--all", "--purpose", "cares", "--to", file, code=5)
    server.engine.config.evidence_path.write_text("in the way")
    await run("evaluate", "--all", "--purpose", "care", "--to", file, code=3)
    assert file.read_text() == "from before"
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--all",),
        ("--all", "jo", "--to", "x.csv"),
        ("--all", "-a", "age=3", "--to", "x.csv"),
        ("jo", "--to", "x.csv"),
        ("jo", "--format", "csv"),
    ],
)
async def test_wrong_usage(run, arguments):
    await run("evaluate", "--purpose", "care", *arguments, code=2)


async def test_a_file_of_no_known_kind(run, tmp_path):
    assert "say --format" in await run(
        "evaluate", "--all", "-p", "care", "--to", tmp_path / "all.xlsx", code=1
    )


async def test_an_officer_proves_a_subjects_result_offline(run, tmp_path):
    key, proof = tmp_path / "log.key", tmp_path / "jo.result-proof"
    key.write_text(await run("audit", "key"))
    await run("evaluate", "--all", "--purpose", "care", "--to", tmp_path / "all.csv")
    (found,) = json.loads(await run("audit", "results", "--json", "--subject-file", "-", stdin="jo"))
    assert "care" in await run("audit", "results", "--subject-file", "-", stdin="jo")
    history = json.loads(await run("subject", "history", "jo", "--json"))
    places = [item["log_index"] for item in history]
    assert places == sorted(places, reverse=True)
    assert found in history
    assert "see audit prove-result" in await run("subject", "history", "jo")
    await run("audit", "prove-result", found["log_index"], "--subject-file", "-", "--to", proof, stdin="jo")
    told = (await run("audit", "verify", "--proof", proof, "--key", key)).splitlines()
    assert told[1:] == ["people/adults: member", "people/leeds: member"]
    token = json.loads(told[0])["subject"]
    assert await run("audit", "prove-result", found["log_index"], "--token", token)
    for old, new in (("result ", "result A"), ("index ", "index 1")):
        (tmp_path / "changed").write_text(proof.read_text().replace(old, new, 1))
        await run("audit", "verify", "--proof", tmp_path / "changed", "--key", key, code=1)
    await run("audit", "prove-result", found["log_index"], code=2)
    await run("audit", "prove-result", found["log_index"], "--subject-file", "-", stdin="nobody", code=5)
