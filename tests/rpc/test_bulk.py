"""Everybody at once over real gRPC: the answers of one at a time, each under the root of a durable entry."""

from __future__ import annotations

import asyncio
import datetime as dt

import polars as pl
import pytest
from servers import Clock, open_engine, running

from segserver.audit.entry import Kind
from segserver.audit.note import NoteKey
from segserver.audit.results import verify_result
from segserver.client.audit_calls import EntryFilter
from segserver.engine import bulk
from segserver.errors import (
    FailedPrecondition,
    IntegrityError,
    InvalidInput,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from segserver.model import Outcome

CATALOG = """
purposes:
  analytics: {legal_basis: legitimate_interest, categories: [demographic, behavioral]}
  marketing: {legal_basis: consent, categories: [demographic], direct_marketing: true}
attributes:
  age: {type: int, category: demographic}
  city: {type: string, category: demographic}
  tags: {type: list(string), category: behavioral}
  joined: {type: timestamp, category: behavioral}
segments:
  - {id: people/adults, rule: age >= 18, purposes: [analytics, marketing]}
  - {id: people/leeds, rule: city == "Leeds", purposes: [analytics, marketing]}
  - {id: people/tagged, rule: '"x" in tags', purposes: [analytics]}
  - {id: people/new, rule: joined > now - duration("24h"), purposes: [analytics]}
"""
PEOPLE = {
    "alice": {"age": 44, "city": "Leeds"},
    "bob": {"age": 12},
    "carol": {"age": 30, "tags": ("x", "y")},
    "dan": {"city": "York"},
    "eve": {"age": 61, "city": "Leeds"},
}


@pytest.fixture
async def server(tmp_path, monkeypatch):
    monkeypatch.setattr(bulk, "PAGE_SUBJECTS_MAX", 2)  # three pages
    clock = Clock()
    async with running(open_engine(tmp_path, {"catalog.yaml": CATALOG}, clock=clock), clock) as server:
        client = server.client()
        for name, attributes in PEOPLE.items():
            await client.upsert_profile(name, {**attributes, "joined": clock.time})
        for name in ("alice", "bob", "carol"):
            await client.record_consent(name, "marketing", method="web", notice_version="1")
        await client.record_objection("carol", method="call")
        await client.restrict_subject("eve")
        yield server


async def everybody(client, purpose, segments=(), at=None):
    return [part async for part in client.evaluate_all(purpose, segments, at)]


@pytest.mark.parametrize("segments", [(), ("people/leeds",)])
@pytest.mark.parametrize("purpose", ["analytics", "marketing"])
async def test_everybody_gets_the_answer_of_one_at_a_time(server, purpose, segments):
    client = server.client()
    parts = await everybody(client, purpose, segments)
    answers = {one.subject_token: one for part in parts for one in part.evaluations}
    assert len(answers) == sum(len(part.evaluations) for part in parts) == len(PEOPLE)
    for name in PEOPLE:
        alone = await client.evaluate(name, purpose, segments)
        together = answers[alone.subject_token]
        assert (together.results, together.members) == (alone.results, alone.members)
    assert {(p.evaluation_id, p.evaluate_time, p.catalog_digest) for p in parts} == {
        (parts[0].evaluation_id, server.clock.time, alone.catalog_digest)
    }


async def test_each_page_has_an_entry_that_is_durable_before_its_answers_leave(server):
    seen = []
    async for part in server.client().evaluate_all("marketing"):
        entry = server.entries()[part.log_index]
        seen.append(entry)
        assert (entry.kind, entry.purpose, entry.request_id) == (
            Kind.BATCH_EVALUATION,
            "marketing",
            part.evaluation_id,
        )
        assert entry.subjects == len(part.evaluations)
        assert entry.read == ("age", "city")
    assert [entry.details["page"] for entry in seen] == ["0", "1", "2"]
    assert [entry.details.get("last") for entry in seen] == [None, None, "true"]
    named = {name for entry in seen for reasons in (entry.withheld,) for name in reasons}
    assert named == {"CHILD", "OBJECTED", "CONSENT_MISSING", "RESTRICTED"}
    assert all(not set(PEOPLE) & set(str(entry).split("'")) for entry in seen)


async def test_a_result_is_proven_offline_and_a_changed_row_is_not(server):
    client = server.client()
    (key,) = [NoteKey.parse((await client.audit_checkpoint()).key)]
    await everybody(client, "analytics")
    (record,) = [record async for record in client.audit_results("alice")]
    proven = verify_result(await client.prove_result(record.log_index, "alice"), [key])
    assert proven.entry.log_index == record.log_index
    assert proven.outcomes == {
        "people/adults": "member",
        "people/leeds": "member",
        "people/new": "member",
        "people/tagged": "unknown",
    }
    assert [(reason.segment, reason.missing) for reason in proven.result.reasons] == [
        ("people/tagged", ("tags",))
    ]
    await client.evaluate("alice", "analytics")
    alone = server.entries()[-1]
    assert (proven.result.subject, proven.result.inputs) == (alone.subject, alone.inputs)
    assert proven.result.subject not in {
        one.subject_token for part in await everybody(client, "analytics") for one in part.evaluations
    }
    again = await client.prove_result(record.log_index, audit_token=proven.result.subject)
    assert verify_result(again, [key]).payload == proven.payload
    with pytest.raises(NotFound, match="holds no result"):
        await client.prove_result(record.log_index, "nobody")
    with pytest.raises(FailedPrecondition, match="no page of a bulk evaluation"):
        await client.prove_result(0, "alice")

    name = proven.entry.entry.details["evidence"]
    path = server.engine.config.evidence_path / f"{name}.parquet"
    assert path.stat().st_mode & 0o077 == 0
    rows = pl.read_parquet(path)
    flipped = pl.when(pl.col("subject") == proven.result.subject).then(pl.lit("NNNN")).otherwise("outcomes")
    rows.with_columns(outcomes=flipped).write_parquet(path)
    with pytest.raises(IntegrityError, match="was changed"):
        await client.prove_result(record.log_index, "alice")
    path.unlink()
    with pytest.raises(FailedPrecondition, match="evidence"):
        await client.prove_result(record.log_index, "alice")
    assert [record async for record in client.audit_results("alice")][-1].log_index > record.log_index


async def test_any_changed_byte_of_a_proof_is_found(server):
    client = server.client()
    (key,) = [NoteKey.parse((await client.audit_checkpoint()).key)]
    (part, *_) = await everybody(client, "marketing")
    entry = server.entries()[part.log_index]
    rows = pl.read_parquet(server.engine.config.evidence_path / f"{entry.details['evidence']}.parquet")
    proof = await client.prove_result(part.log_index, audit_token=rows["subject"][0])
    verify_result(proof, [key])
    for place in range(0, len(proof), 7):
        other = "A" if proof[place] != "A" else "B"
        changed = proof[:place] + other + proof[place + 1 :]
        try:
            found = verify_result(changed, [key])
        except IntegrityError:
            continue
        assert found.payload == verify_result(proof, [key]).payload  # a second signature line's key hint


async def test_officers_find_the_evaluations_by_segment_and_outcome(server):
    client = server.client()
    await everybody(client, "analytics", ["people/leeds"])
    wanted = EntryFilter(kinds=["batch_evaluation"], segment="people/leeds", outcome="member")
    assert [record async for record in client.audit_entries(wanted)]
    assert not [
        record
        async for record in client.audit_entries(
            EntryFilter(kinds=["batch_evaluation"], segment="people/new")
        )
    ]


async def test_an_erased_subject_is_in_no_later_evaluation_and_its_results_belong_to_nobody(server):
    client = server.client()
    await everybody(client, "analytics")
    assert [record async for record in client.audit_results("alice")]
    await client.erase_subject("alice")
    parts = await everybody(client, "analytics")
    assert sum(len(part.evaluations) for part in parts) == len(PEOPLE) - 1
    assert not [record async for record in client.audit_results("alice")]


async def test_a_subject_that_can_not_be_opened_has_an_error_of_its_own(server):
    client = server.client()
    token = (await client.evaluate("bob", "analytics")).subject_token
    row = server.engine.store.reader.execute("SELECT subject_key, profile FROM subjects").fetchall()
    broken, sealed = row[0]

    def spoil(connection):
        connection.execute(
            "UPDATE subjects SET profile = ? WHERE subject_key = ?", (sealed[:-1] + b"\0", broken)
        )

    server.engine.store.writer.write_blocking(spoil)
    parts = await everybody(client, "analytics")
    failed = [one for part in parts for one in part.evaluations if one.error]
    assert [one.error.reason for one in failed] == ["SEAL_BROKEN"]
    assert sum(len(part.evaluations) for part in parts) == len(PEOPLE)
    assert sum(server.entries()[part.log_index].subjects for part in parts) == len(PEOPLE)
    assert token


async def test_nobody_is_stored(tmp_path):
    async with running(open_engine(tmp_path, {"catalog.yaml": CATALOG})) as server:
        (part,) = await everybody(server.client(), "marketing")
        entry = server.entries()[part.log_index]
        assert (part.evaluations, entry.subjects, entry.details["last"]) == ((), 0, "true")


async def test_what_is_refused(server):
    client = server.client()
    with pytest.raises(InvalidInput, match="what the answer is for"):
        await everybody(client, "")
    with pytest.raises(NotFound, match="did you mean people/leeds"):
        await everybody(client, "analytics", ["people/leed"])
    with pytest.raises(PermissionDenied):
        await everybody(server.caller("crm", ["evaluator"], ["analytics"]), "marketing")
    with pytest.raises(PermissionDenied):
        await everybody(server.caller("ann", ["analyst"]), "analytics")
    assert not server.engine.config.evidence_path.exists()


async def test_one_runs_at_a_time_and_one_that_is_given_up_makes_room(server):
    client = server.client()
    first = client.evaluate_all("analytics")
    await anext(first)
    with pytest.raises(LimitExceeded, match="bulk_evaluations_max"):
        await everybody(client, "analytics")
    await first.aclose()
    for _ in range(200):
        try:
            parts = await everybody(client, "analytics")
            break
        except LimitExceeded:
            await asyncio.sleep(0.01)
    assert sum(len(part.evaluations) for part in parts) == len(PEOPLE)


async def test_nothing_leaves_when_the_evidence_can_not_be_written(server):
    server.engine.config.evidence_path.write_text("in the way")
    before = len(server.entries())
    with pytest.raises(Unavailable, match="evidence"):
        await everybody(server.client(), "analytics")
    assert len(server.entries()) == before


async def test_a_prune_drops_the_evidence_beside_what_it_drops(server):
    client = server.client()
    await everybody(client, "analytics")
    folder = server.engine.config.evidence_path
    (folder / "notes.parquet").write_text("an officer's own")
    old = {path.name for path in folder.iterdir()} - {"notes.parquet"}
    server.clock.time += dt.timedelta(days=60)
    (part, *_) = await everybody(client, "analytics")
    await client.prune_audit(server.clock.time - dt.timedelta(days=31))
    left = {path.name for path in folder.iterdir()}
    assert len(old) == 3
    assert not old & left
    assert len(left) == 4
    token = pl.read_parquet(next(folder.glob("0*")))["subject"][0]
    assert [record async for record in client.audit_results(audit_token=token)]
    assert part.evaluations


async def test_a_withdrawal_holds_for_the_pages_that_are_not_read_yet(server):
    client = server.client()
    parts = client.evaluate_all("marketing")
    await anext(parts)
    for name in ("alice", "bob", "carol"):
        await client.withdraw_consent(name, "marketing", method="web")
    later = [one async for part in parts for one in part.evaluations]
    assert later
    assert all(result.outcome is Outcome.WITHHELD for one in later for result in one.results)
