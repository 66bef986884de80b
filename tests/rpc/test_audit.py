"""AuditService over real gRPC."""

from __future__ import annotations

import datetime as dt
import io

import pytest
from servers import NOON, Clock, open_engine, plugins, running

from segserver.audit.entry import Kind, decode, encode
from segserver.audit.export import export
from segserver.audit.note import NoteKey
from segserver.audit.proof import verify_proof
from segserver.audit.verify import verify
from segserver.audit.witness import Witness
from segserver.client import Document
from segserver.client.audit_calls import EntryFilter
from segserver.errors import FailedPrecondition, IntegrityError, InvalidInput, NotFound, PermissionDenied
from segserver.strategies import hookimpl
from segserver.strategies.api import Attribute, Segment, Strategy, Trait

CATALOG = """
purposes:
  care: {legal_basis: contract, categories: [demographic]}
attributes:
  age: {type: int, category: demographic}
segments:
  - {id: people/adults, rule: age >= 18}
  - {id: people/seniors, rule: age >= 65}
"""


@pytest.fixture
async def server(tmp_path):
    clock = Clock()
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG}, clock=clock)
    async with running(engine, clock) as server:
        client = server.client()
        await client.evaluate("kim", "care")
        for subject, age in (("jo", 44), ("kim", 70), ("sam", 30)):
            await client.upsert_profile(subject, {"age": age})
            await client.evaluate(subject, "care")
        yield server


async def found(client, **wanted):
    return [decode(item.payload) async for item in client.audit_entries(EntryFilter(**wanted))]


async def test_entries_are_found_by_what_they_say(server):
    client = server.client()
    assert len(await found(client, kinds=["evaluation"])) == 4
    assert len(await found(client, segment="people/seniors", outcome="member")) == 1
    assert len(await found(client, segment="people/seniors", outcome="not_member")) == 2
    assert len(await found(client, segment="people/adults", outcome="unknown")) == 1
    assert await found(client, before=NOON) == []
    assert await found(client, after=NOON + dt.timedelta(seconds=1)) == []


async def test_a_subject_is_found_by_its_id_also_before_it_was_stored(server):
    client = server.client()
    entries = await found(client, subject="kim")
    assert [entry.kind for entry in entries] == [Kind.EVALUATION, Kind.PROFILE_WRITTEN, Kind.EVALUATION]
    assert len({entry.subject for entry in entries}) == 2
    told = await found(client, audit_token=entries[0].subject)
    assert [entry.kind for entry in told] == [Kind.AUDIT_READ, Kind.EVALUATION, Kind.PROFILE_WRITTEN]
    with pytest.raises(InvalidInput):
        await found(client, subject="kim", audit_token="a1-0")
    rows = server.engine.store.reader.execute("SELECT payloads FROM log_groups")
    assert not any(b"kim" in payloads for (payloads,) in rows)


async def test_reading_leaves_an_entry(server):
    client = server.caller("olga", ["officer"])
    await found(client, purpose="care", subject="jo")
    entry = server.entries()[-1]
    assert (entry.kind, entry.caller) == (Kind.AUDIT_READ, "olga")
    assert entry.details["purpose"] == "care"
    assert entry.details["subjects"].startswith("a1-")
    await client.audit_entry(0)
    assert server.entries()[-1].details == {"log_index": "0"}


async def test_an_id_in_the_wrong_field_does_not_get_into_the_log(server):
    client = server.caller("olga", ["officer"])
    for field in ("caller", "purpose", "segment"):
        wanted = EntryFilter(**{field: "kim"})
        await found(client, **{field: "kim"})
        await client.audit_stats(wanted)
        assert len([record async for record in client.export_audit(wanted)]) < 6
        assert [entry.details[field] for entry in server.entries()[-3:]] == ["(not in the log)"] * 3
    await found(client, segment="people/adults")
    assert server.entries()[-1].details["segment"] == "people/adults"
    assert await found(client, purpose="care", withheld_by="KIM") == []
    details = server.entries()[-1].details
    assert (details["purpose"], details["withheld_by"]) == ("care", "(not in the log)")
    assert not any(b"kim" in encode(item) for item in server.entries())


async def test_pages_hold_everything_once(server):
    client = server.client()
    indexes = [item.log_index async for item in client.audit_entries(page_size=3)]
    assert indexes == sorted(set(indexes), reverse=True)
    assert indexes[-1] == 0


async def test_counts(server):
    counts = await server.client().audit_stats(EntryFilter(kinds=["evaluation"]))
    assert counts["kind"] == {"evaluation": 4}
    assert counts["purpose"] == {"care": 4}


async def test_an_export_is_read_by_others_and_logged(server):
    records = [record async for record in server.client().export_audit(EntryFilter(kinds=["evaluation"]))]
    assert [decode(record.payload).kind for record in records] == [Kind.EVALUATION] * 4
    assert export(records, "jsonl", io.BytesIO()) == 4
    assert server.entries()[-1].kind is Kind.AUDIT_EXPORTED


async def test_a_proof_verifies_without_the_server(server):
    client = server.client()
    record = await anext(client.audit_entries(EntryFilter(kinds=["evaluation"])))
    key = NoteKey.parse((await client.audit_checkpoint()).key)
    proven = verify_proof(await client.prove_entry(record.log_index), [key])
    assert proven.payload == record.payload
    assert proven.log_index == record.log_index


async def test_a_witness_follows_over_the_wire(server, tmp_path):
    client = server.client()
    seen = await client.audit_checkpoint()
    witness = Witness(tmp_path / "witness", [NoteKey.parse(seen.key)])
    size = witness.observe(seen.note, lambda old, new: seen.consistency).size
    await client.evaluate("jo", "care")
    later = await client.audit_checkpoint(size)
    assert witness.observe(later.note, lambda old, new: later.consistency).size > size
    with pytest.raises(IntegrityError):
        witness.observe(seen.note, lambda old, new: ())


async def test_old_payloads_are_pruned_and_young_ones_kept(server):
    client = server.client()
    with pytest.raises(InvalidInput):
        await client.prune_audit(NOON)
    server.clock.time = NOON + dt.timedelta(days=400)
    digests = {item.inputs.encode() for item in server.entries() if item.inputs}
    assert await client.prune_audit(NOON + dt.timedelta(days=1)) > 7
    files = [file.read_bytes() for file in server.engine.config.data_dir.glob("segserver.db*")]
    assert digests
    assert not any(digest in content for digest in digests for content in files)
    with pytest.raises(FailedPrecondition):
        await client.audit_entry(0)
    report = verify(server.engine.store.connect(), [server.engine.audit.key])
    assert report.pruned > 7


async def test_what_is_not_there_and_what_is_malformed(server):
    client = server.client()
    with pytest.raises(NotFound):
        await client.audit_entry(10_000)
    with pytest.raises(NotFound):
        await client.prove_entry(10_000)
    with pytest.raises(InvalidInput):
        await found(client, kinds=["party"])
    with pytest.raises(InvalidInput):
        await client.audit_checkpoint(-1)


async def test_only_officers_read_the_log(server):
    for role in ("evaluator", "writer", "analyst", "admin"):
        client = server.caller(f"no-{role}", [role])
        with pytest.raises(PermissionDenied):
            await found(client)
        with pytest.raises(PermissionDenied):
            await client.prove_entry(0)
        with pytest.raises(PermissionDenied):
            await client.prune_audit(NOON)
        await client.audit_checkpoint()


async def test_the_log_is_signed_at_the_stop(tmp_path):
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG})
    await engine.record_start()
    store, key = engine.store, engine.audit.key
    connection = store.connect()
    engine.close()
    report = verify(connection, [key])
    connection.close()
    assert report.signed == report.size > 0


async def evaluation_of(client, subject):
    return (await anext(client.audit_entries(EntryFilter(subject=subject, kinds=["evaluation"])))).log_index


async def test_a_replay_shows_the_same_until_something_changes(server):
    client = server.client()
    log_index = await evaluation_of(client, "jo")
    server.clock.time = NOON + dt.timedelta(days=3)
    assert (await client.replay_entry(log_index, "jo")).same
    await client.upsert_profile("jo", {"age": 66})
    replay = await client.replay_entry(log_index, "jo")
    assert not replay.same
    assert replay.changes == ("INPUTS_CHANGED",)
    assert replay.differences == {"people/seniors": ("not_member", "member")}


async def test_a_replay_uses_the_recorded_catalog(server):
    client = server.client()
    log_index = await evaluation_of(client, "jo")
    await client.publish_catalog([Document("catalog.yaml", CATALOG.replace("age >= 18", "age >= 50"))])
    assert (await client.replay_entry(log_index, "jo")).same
    await client.evaluate("jo", "care", ["people/adults"])
    assert (await client.replay_entry(await evaluation_of(client, "jo"), "jo")).same


async def test_a_replay_tells_a_changed_consent(server):
    client = server.client()
    log_index = await evaluation_of(client, "jo")
    await client.restrict_subject("jo", reason="disputed")
    assert server.entries()[-1].kind is Kind.SUBJECT_RESTRICTED
    replay = await client.replay_entry(log_index, "jo")
    assert "CONSENT_CHANGED" in replay.changes
    assert replay.differences["people/adults"] == ("member", "withheld")


async def test_an_explanation_is_replayed_as_well(server):
    client = server.client()
    await client.explain("jo", "people/seniors", "care")
    (explained,) = [item async for item in client.audit_entries(EntryFilter(kinds=["explain"]))]
    assert (await client.replay_entry(explained.log_index, "jo")).same
    await client.upsert_profile("jo", {"age": 66})
    replay = await client.replay_entry(explained.log_index, "jo")
    assert replay.differences == {"people/seniors": ("not_member", "member")}


async def test_brought_attributes_are_named_and_never_taken_for_a_change(server):
    client = server.client()
    await client.evaluate("jo", "care", attributes={"age": 77})
    log_index = await evaluation_of(client, "jo")
    record = await client.audit_entry(log_index)
    assert record.entry().details == {"brought": "age"}
    replay = await client.replay_entry(log_index, "jo")
    assert replay.changes == ("ATTRIBUTES_BROUGHT",)
    assert replay.differences == {"people/seniors": ("member", "not_member")}


class Ages:
    @hookimpl
    def segserver_strategies(self):
        yield Strategy(
            name="ages",
            version="3.1.4",
            api=1,
            attributes=[Attribute("age", "int", category="demographic")],
            traits=[Trait("adult", "bool", rule="age >= 18")],
            segments=[Segment("ages/adult", rule="ages.adult", purposes=["care"])],
        )


class Broken:
    @hookimpl
    def segserver_strategies(self):
        raise RuntimeError("secret")


async def test_a_quarantined_plugin_is_in_the_log(tmp_path):
    async with running(open_engine(tmp_path, {"catalog.yaml": CATALOG}, plugins(Broken()))) as server:
        await server.engine.record_start()
        quarantined, started = server.entries()[-2:]
    assert (quarantined.kind, started.kind) == (Kind.STRATEGY_QUARANTINED, Kind.SERVER_STARTED)
    assert "RuntimeError" in quarantined.details["why"]


async def test_a_proof_shows_the_versions_of_the_strategies(tmp_path):
    purposes, _, _ = CATALOG.partition("attributes:")
    document = purposes + "strategies: {ages: }\ninclude: [ages/*]\n"
    async with running(open_engine(tmp_path, {"catalog.yaml": document}, plugins(Ages()))) as server:
        client = server.client()
        await client.evaluate("jo", "care")
        log_index = await evaluation_of(client, "jo")
        key = NoteKey.parse((await client.audit_checkpoint()).key)
        proven = verify_proof(await client.prove_entry(log_index), [key])
        assert proven.entry.strategies == {"ages": "3.1.4"}
        assert (await client.replay_entry(log_index, "jo")).same


async def test_a_replay_needs_the_right_subject_and_an_evaluation(server):
    client = server.client()
    log_index = await evaluation_of(client, "jo")
    with pytest.raises(InvalidInput):
        await client.replay_entry(log_index, "kim")
    with pytest.raises(FailedPrecondition):
        await client.replay_entry(0, "jo")
