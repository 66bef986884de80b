"""PrivacyService over real gRPC."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from servers import NOON, Clock, open_engine, running

from segserver.audit.entry import Kind
from segserver.client.audit_calls import EntryFilter
from segserver.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from segserver.model import Outcome

CATALOG = """
purposes:
  care: {legal_basis: contract, categories: [demographic, contact]}
attributes:
  age: {type: int, category: demographic}
  mail: {type: string, category: contact}
segments:
  - {id: people/adults, rule: age >= 18}
"""


@pytest.fixture
async def server(tmp_path):
    clock = Clock()
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG}, clock=clock, controller={"name": "Shop Ltd"})
    async with running(engine, clock) as server:
        await server.client().upsert_profile("jo", {"age": 44, "mail": "jo@example.org"})
        yield server


async def test_an_export_is_whole_and_comes_back(server):
    client = server.client()
    await server.caller("crm", ["writer"]).upsert_profile("jo", {"age": 44})
    await client.record_objection("jo", "care")
    document = await client.export_subject("jo")
    found = json.loads(document)
    assert found["attributes"]["age"]["value"] == 44
    assert found["memberships"] == {"care": {"people/adults": "WITHHELD"}}
    assert found["sources"] == {"age": "crm", "mail": "dev"}
    assert found["rules"] == {"people/adults": "age >= 18"}
    assert [item["record"]["kind"] for item in found["records"]] == ["objected"]
    with pytest.raises(Conflict):
        await client.import_subject("jo", document)
    await client.erase_subject("jo")
    await client.import_subject("jo", document)
    again = json.loads(await client.export_subject("jo"))
    assert again["sources"] == {"age": "dev", "mail": "dev"}
    assert {**again, "subject": "", "sources": {}} == {**found, "subject": "", "sources": {}}
    assert again["subject"] != found["subject"]


async def test_an_erased_subject_is_gone_and_its_entries_lead_nowhere(server):
    client = server.client()
    await client.add_alias("jo", "email:jo@example.org")
    before = (await client.evaluate("email:jo@example.org", "care")).subject_token
    token = server.entries()[-1].subject
    receipt = await client.erase_subject("email:JO@example.org")
    assert receipt["existed"]
    nothing = dict.fromkeys(("consent records", "events", "lists", "memberships"), "0")
    assert receipt["removed"] == {**nothing, "aliases": "1", "profiles": "1"}
    assert receipt["audit_token"] == token
    entry = server.entries()[-1]
    assert (entry.kind, entry.subject) == (Kind.SUBJECT_ERASED, token)
    with pytest.raises(NotFound):
        await client.get_profile("jo")
    after = await client.evaluate("jo", "care")
    assert after.results[0].outcome is Outcome.UNKNOWN
    assert after.subject_token != before
    assert not (await client.erase_subject("jo"))["existed"]


async def test_a_restricted_subject_is_stored_and_not_evaluated(server):
    client = server.client()
    await client.restrict_subject("jo", reason="accuracy is contested")
    (result,) = (await client.evaluate("jo", "care")).results
    assert {item.reason for item in result.withheld} == {"RESTRICTED"}
    assert (await client.get_profile("jo")).attributes["age"] == 44
    await client.restrict_subject("jo", lifted=True, reason="checked")
    assert (await client.evaluate("jo", "care")).members == ("people/adults",)


async def test_requests_are_due_in_a_month(server):
    client = server.client()
    request = (await client.open_request("stranger", "access"))["request"]
    assert request["due_time"] == "2026-07-15T12:00:00Z"
    assert (await client.requests(overdue_only=True))["requests"] == []
    server.clock.time = NOON + dt.timedelta(days=31)
    (overdue,) = (await client.requests(overdue_only=True))["requests"]
    assert (overdue["request_id"], overdue["overdue"]) == (request["request_id"], True)
    await client.complete_request(request["request_id"])
    assert server.entries()[-1].details == {"completed": request["request_id"]}
    assert server.entries()[-1].subject == request["audit_token"]
    assert (await client.requests())["requests"] == []
    with pytest.raises(NotFound):
        await client.complete_request(request["request_id"])
    with pytest.raises(InvalidInput):
        await client.open_request("jo", "wish")


async def test_a_history_tells_who_asked_what_from_the_first_question_on(server):
    client, shop = server.client(), server.caller("shop", ["evaluator"])
    await shop.evaluate("email:mo@example.org", "care")  # before anything is stored
    await client.upsert_profile("mo", {"age": 44})
    await client.add_alias("mo", "email:mo@example.org")
    await shop.evaluate("email:MO@example.org", "care")
    await client.export_subject("mo")
    await client.evaluate("jo", "care")

    async def history(subject: str) -> list[tuple[str, str]]:
        found = [record.entry() async for record in client.audit_entries(EntryFilter(subject=subject))]
        return [(entry.kind, entry.caller) for entry in reversed(found)]

    asked = [
        ("evaluation", "shop"),
        ("profile_written", "dev"),
        ("profile_written", "dev"),
        ("evaluation", "shop"),
        ("subject_exported", "dev"),
    ]
    assert await history("mo") == asked
    assert await history("email:mo@example.org") == [*asked, ("audit_read", "dev")]


async def test_two_officers_identify(server):
    ada, bob = server.caller("ada", ["officer"]), server.caller("bob", ["officer"])
    await server.client().evaluate("jo", "care")
    token = server.entries()[-1].subject
    with pytest.raises(InvalidInput) as refused:
        await ada.ask_identification("jo@example.org", "A court order names this entry.")
    assert refused.value.reason == "TOKEN_INVALID"
    asked = await ada.ask_identification(token, "A court order names this entry.")
    with pytest.raises(PermissionDenied) as caught:
        await ada.approve_identification(asked["request_id"])
    assert caught.value.reason == "SECOND_OFFICER_REQUIRED"
    document = json.loads(await bob.approve_identification(asked["request_id"]))
    assert document["attributes"]["mail"]["value"] == "jo@example.org"
    steps = [e for e in server.entries() if e.kind is Kind.SUBJECT_REIDENTIFIED]
    assert [(e.caller, e.details["step"], e.subject) for e in steps] == [
        ("ada", "asked", token),
        ("bob", "approved", token),
    ]


async def test_the_processing_record_is_that_of_the_catalog(server):
    server.caller("shop", ["evaluator"], ["care"])
    record = await server.client().processing_record()
    (activity,) = json.loads(record["json"])["activities"]
    assert (activity["purpose"], activity["recipients"]) == ("care", ["dev", "shop"])
    assert activity["attributes"] == ["age", "mail"]
    assert "Controller: Shop Ltd" in record["markdown"]


async def test_only_officers_serve_rights(server):
    writer = server.caller("shop", ["writer", "evaluator", "analyst", "admin"])
    for call in (writer.export_subject("jo"), writer.erase_subject("jo"), writer.processing_record()):
        with pytest.raises(PermissionDenied):
            await call
