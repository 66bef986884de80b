"""ConsentService over real gRPC: one customer, five situations, and nothing stored that is wrong."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from servers import NOON, Clock, open_engine, running

from segserver.audit.entry import Kind
from segserver.errors import InvalidInput, NotFound, PermissionDenied
from segserver.model import Outcome
from segserver.v1 import consent_service_pb2 as pb

CATALOG = """
purposes:
  marketing: {legal_basis: consent, categories: [demographic, financial], direct_marketing: true}
  care: {legal_basis: contract, categories: [demographic, financial]}
attributes:
  birth_date: {type: timestamp, category: demographic}
  income: {type: int, category: financial}
segments:
  - {id: people/wealthy, rule: income > 1000}
  - {id: people/creditworthy, rule: income > 500, legal_or_similar_effect: true}
"""
ADULT = dt.datetime(1980, 1, 1, tzinfo=dt.UTC)
CHILD = dt.datetime(2015, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
async def server(tmp_path):
    clock = Clock()
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG}, clock=clock)
    async with running(engine, clock) as server:
        await server.client().upsert_profile("jo", {"income": 5000, "birth_date": ADULT})
        yield server


async def answer(client, purpose: str = "marketing") -> tuple[Outcome, set[str]]:
    (result,) = (await client.evaluate("jo", purpose, ["people/wealthy"])).results
    return result.outcome, {item.reason for item in result.withheld}


async def test_one_customer_in_five_situations(server):
    client = server.client()
    assert await answer(client) == (Outcome.WITHHELD, {"CONSENT_MISSING"})
    done = await client.record_consent("jo", "marketing", method="web-form", expires=NOON + HOUR)
    assert done["standing"] == "CONSENT_STANDING_GRANTED"
    assert await answer(client) == (Outcome.MEMBER, set())
    server.clock.time = NOON + HOUR
    assert await answer(client) == (Outcome.WITHHELD, {"CONSENT_EXPIRED"})
    await client.record_consent("jo", "marketing", granted=False)
    assert await answer(client) == (Outcome.WITHHELD, {"CONSENT_REFUSED"})
    server.clock.time += HOUR
    await client.record_consent("jo", "marketing")
    assert await answer(client) == (Outcome.MEMBER, set())
    await client.record_objection("jo")
    assert await answer(client) == (Outcome.WITHHELD, {"OBJECTED"})
    assert await answer(client, "care") == (Outcome.MEMBER, set())
    await client.record_objection("jo", lifted=True)
    await client.upsert_profile("jo", {"birth_date": CHILD})
    assert await answer(client) == (Outcome.WITHHELD, {"CHILD"})


async def test_an_answer_with_legal_effect_needs_a_person_or_explicit_consent(server):
    client = server.client()

    async def reviewed(purpose: str) -> dict[str, bool]:
        found = (await client.evaluate("jo", purpose)).results
        return {result.segment: result.human_review for result in found}

    asked = {"people/creditworthy": True, "people/wealthy": False}
    assert await reviewed("care") == asked
    await client.record_consent("jo", "marketing")
    assert await reviewed("marketing") == asked
    await client.record_consent("jo", "marketing", explicit=True)
    assert await reviewed("marketing") == asked | {"people/creditworthy": False}
    assert await reviewed("care") == asked


async def test_a_withdrawal_holds_when_it_returns(server):
    client = server.client()
    await client.record_consent("jo", "marketing")
    assert (await answer(client))[0] is Outcome.MEMBER
    await client.withdraw_consent("jo", "marketing")
    assert await answer(client) == (Outcome.WITHHELD, {"CONSENT_WITHDRAWN"})


async def test_the_history_pages_and_the_state_are_told(server):
    client = server.client()
    await client.record_consent("jo", "marketing", notice_version="v2", jurisdiction="US-CA", explicit=True)
    await client.record_privacy_signal("jo", "gpc", method="browser-signal")
    await client.record_objection("jo", "care")
    page = await client.consent_history("jo", page_size=2)
    assert [(r["number"], r["kind"]) for r in page["records"]] == [("3", "objected"), ("2", "signal_set")]
    rest = await client.consent_history("jo", page_size=2, page_token=page["next_page_token"])
    assert [(r["number"], r["notice_version"], r["actor"]) for r in rest["records"]] == [("1", "v2", "dev")]
    assert rest["next_page_token"] == ""
    found = await client.consents("jo")
    assert {c["purpose"]: c["standing"] for c in found["consents"]} == {
        "care": "CONSENT_STANDING_MISSING",
        "marketing": "CONSENT_STANDING_EXPLICIT",
    }
    assert (found["signals"], found["jurisdiction"]) == (["gpc"], "US-CA")
    assert await answer(client) == (Outcome.WITHHELD, {"GPC_OPT_OUT"})


async def test_a_receipt_goes_out_and_comes_in(server):
    client = server.client()
    receipt = (await client.record_consent("jo", "marketing", method="call", explicit=True))["receipt"]
    assert json.loads(receipt)["events"][0]["event_state"] == "consent given"
    await client.upsert_profile("mo", {"income": 1})
    done = await client.record_consent_receipt("mo", receipt)
    assert (done["record"]["method"], done["record"]["explicit"]) == ("call", True)
    with pytest.raises(InvalidInput) as caught:
        await client.record_consent_receipt("mo", '{"canary": 1}')
    assert caught.value.reason == "RECEIPT_MALFORMED"
    assert "canary" not in caught.value.message


async def test_what_is_wrong_is_refused_and_not_stored(server):
    client = server.client()
    clerk = server.caller("clerk", ["evaluator"], ["care"])
    later = NOON + HOUR
    for call, error, reason in [
        (client.record_consent("jo", ""), InvalidInput, "PURPOSE_MISSING"),
        (client.record_consent("jo", "marketting"), NotFound, "PURPOSE_NOT_FOUND"),
        (client.record_consent("nobody", "marketing"), NotFound, "SUBJECT_NOT_FOUND"),
        (client.withdraw_consent("nobody", "marketing"), NotFound, "SUBJECT_NOT_FOUND"),
        (client.record_consent("jo", "marketing", at=later), InvalidInput, "CONSENT_IN_FUTURE"),
        (client.record_consent("jo", "marketing", expires=NOON), InvalidInput, "CONSENT_EXPIRY_INVALID"),
        (client.record_privacy_signal("jo", "dnt"), InvalidInput, "SIGNAL_UNKNOWN"),
        (client.record_consent("phone:12", "marketing"), InvalidInput, "SUBJECT_ID_INVALID"),
        (client.record_consent_receipt("jo", "{}"), InvalidInput, "RECEIPT_MALFORMED"),
        (client.evaluate("jo", ""), InvalidInput, "PURPOSE_MISSING"),
        (client.evaluate("jo", "marketting"), NotFound, "PURPOSE_NOT_FOUND"),
        (clerk.evaluate("jo", "marketing"), PermissionDenied, "PURPOSE_NOT_PERMITTED"),
        (client.consent_history("jo", page_token="x"), InvalidInput, "PAGE_TOKEN_INVALID"),
    ]:
        with pytest.raises(error) as caught:
            await call
        assert caught.value.reason == reason
    assert (await client.consent_history("jo"))["records"] == []


async def test_decisions_and_reads_are_in_the_log(server):
    client = server.client()
    await client.record_consent("jo", "marketing")
    await client.withdraw_consent("jo", "marketing")
    await client.record_objection("jo")
    await client.record_privacy_signal("jo", "gpc")
    await client.consents("jo")
    entries = server.entries()[-5:]
    assert [entry.kind for entry in entries] == [
        Kind.CONSENT_RECORDED,
        Kind.CONSENT_WITHDRAWN,
        Kind.OBJECTION,
        Kind.SIGNAL,
        Kind.PROFILE_READ,
    ]
    assert [entry.consent for entry in entries] == ["1", "2", "3", "4", ""]
    assert len({entry.subject for entry in entries}) == 1


def test_withdrawing_asks_for_no_more_than_granting():
    granting, withdrawing = (
        {field.name for field in message.DESCRIPTOR.fields}
        for message in (pb.RecordConsentRequest, pb.WithdrawConsentRequest)
    )
    assert withdrawing < granting


async def test_only_writers_record(server):
    evaluator = server.caller("shop", ["evaluator"])
    with pytest.raises(PermissionDenied):
        await evaluator.record_consent("jo", "marketing")
