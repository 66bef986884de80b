"""SegmentationService over real gRPC: what it answers, what it refuses, and that it does neither without a
trace.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import threading

import grpc
import pytest
from servers import open_engine, running

from segserver.audit.entry import Kind
from segserver.errors import (
    InvalidInput,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    SegserverError,
    Unauthenticated,
    Unavailable,
)
from segserver.model import Outcome, SubjectId
from segserver.v1 import segmentation_service_pb2 as pb
from segserver.v1 import value_pb2

CATALOG = """
purposes:
  analytics: {legal_basis: legitimate_interest, categories: [demographic, behavioral]}
  marketing: {legal_basis: consent, categories: [demographic, behavioral]}
attributes:
  age: {type: int, category: demographic}
  city: {type: string, category: demographic}
  level: {type: string, category: demographic, values: [low, high]}
  tags: {type: list(string), category: behavioral}
  joined: {type: timestamp, category: behavioral}
segments:
  - {id: people/adults, rule: age >= 18, purposes: [analytics, marketing]}
  - {id: people/leeds, rule: city == "Leeds", purposes: [analytics]}
  - {id: people/adults-of-leeds, rule: segments.people.adults && segments.people.leeds, purposes: [analytics]}
  - {id: people/high, rule: level == "high", purposes: [analytics]}
  - {id: people/tagged, rule: '"x" in tags', purposes: [analytics]}
  - {id: people/new, rule: joined > now - duration("24h"), purposes: [analytics]}
"""


@pytest.fixture
async def server(tmp_path):
    async with running(open_engine(tmp_path, {"catalog.yaml": CATALOG})) as server:
        yield server


def outcomes(evaluation):
    return {result.segment: result.outcome for result in evaluation.results}


async def test_one_customer(server):
    client = server.client()
    await client.upsert_profile("alice", {"age": 44, "city": "Leeds"})
    answer = await client.evaluate("alice", "analytics")
    assert outcomes(answer) == {
        "people/adults": Outcome.MEMBER,
        "people/adults-of-leeds": Outcome.MEMBER,
        "people/high": Outcome.UNKNOWN,
        "people/leeds": Outcome.MEMBER,
        "people/new": Outcome.UNKNOWN,
        "people/tagged": Outcome.UNKNOWN,
    }
    assert answer["people/high"].missing == ("level",)
    assert answer.catalog_digest == server.engine.catalogs.serving.catalog.digest
    assert answer.evaluate_time == server.clock.time
    assert answer.evaluation_id


async def test_every_answer_has_one_entry_that_names_no_one(server):
    client = server.client()
    await client.upsert_profile("alice", {"age": 44})
    before = len(server.entries())
    answers = [await client.evaluate("alice", "analytics") for _ in range(3)]
    entries = server.entries()[before:]
    assert [entry.request_id for entry in entries] == [answer.evaluation_id for answer in answers]
    for entry in entries:
        assert (entry.kind, entry.caller, entry.purpose) == (Kind.EVALUATION, "dev", "analytics")
        assert entry.segments.member == ("people/adults",)
        assert entry.read == ("age", "city", "joined", "level", "tags")
        assert entry.missing == ("city", "joined", "level", "tags")
        assert entry.subject.startswith("a1-")
        assert entry.subject != answers[0].subject_token


async def test_named_segments_come_in_the_order_of_the_catalog(server):
    answer = await server.client().evaluate("alice", "analytics", segments=["people/leeds", "people/adults"])
    assert [result.segment for result in answer.results] == ["people/adults", "people/leeds"]
    entry = server.entries()[-1]
    assert entry.segments.unknown == ("people/adults", "people/leeds")
    assert entry.read == ("age", "city")


async def test_brought_attributes_are_used_and_not_stored(server):
    client = server.client()
    await client.upsert_profile("alice", {"age": 44})
    answer = await client.evaluate("alice", "analytics", attributes={"age": 12, "city": "Leeds"})
    assert answer["people/leeds"].outcome is Outcome.WITHHELD  # twelve is a child, and this is profiling
    assert answer["people/leeds"].withheld[0].reason == "CHILD"
    assert outcomes(await client.evaluate("alice", "analytics"))["people/leeds"] is Outcome.UNKNOWN
    assert (await client.get_profile("alice")).attributes == {"age": 44}


async def test_the_moment_can_be_chosen(server):
    client = server.client()
    await client.upsert_profile("alice", {"joined": server.clock.time - dt.timedelta(days=2)})
    assert outcomes(await client.evaluate("alice", "analytics"))["people/new"] is Outcome.NOT_MEMBER
    earlier = server.clock.time - dt.timedelta(days=1, hours=12)
    answer = await client.evaluate("alice", "analytics", at=earlier)
    assert answer["people/new"].outcome is Outcome.MEMBER
    assert answer.evaluate_time == earlier


async def test_without_consent_everything_is_withheld_whether_or_not_it_is_there(server):
    client = server.client()
    await client.upsert_profile("alice", {"age": 44})
    for subject in ("alice", "nobody-at-all"):
        (result,) = (await client.evaluate(subject, "marketing")).results
        assert result.outcome is Outcome.WITHHELD
        assert [(item.attribute, item.reason) for item in result.withheld] == [("age", "CONSENT_MISSING")]


async def test_a_batch_answers_each_for_itself(server):
    client = server.client()
    await client.upsert_profile("alice", {"age": 44})
    first, second, third = await client.evaluate_batch(
        ["alice", SubjectId("carrier-pigeon", "x"), "bob"],
        "analytics",
        segments=["people/adults"],
        attributes=[{}, {}, {"age": "old"}],
    )
    assert first["people/adults"].outcome is Outcome.MEMBER
    assert second.reason == "SUBJECT_ID_TYPE_UNKNOWN"
    assert third.violations[0].field == "subjects[2].attributes.values[age]"


async def test_two_callers_tokens_differ_and_each_is_stable(server):
    mine, theirs = server.client(), server.caller("shop", ["evaluator"])
    tokens = {(await client.evaluate("alice", "analytics")).subject_token for client in (mine, theirs, mine)}
    assert len(tokens) == 2


@pytest.mark.parametrize(
    ("attributes", "field", "words"),
    [
        ({"aeg": 3}, "attributes.values[aeg]", "did you mean age"),
        ({"age": "old"}, "attributes.values[age]", "expected a 64-bit int, got string"),
        ({"age": 1.5}, "attributes.values[age]", "got double"),
        ({"level": "middling"}, "attributes.values[level]", "none of the allowed values: high, low"),
        ({"city": "x" * 100_000}, "attributes.values[city]", "string_bytes_max"),
        ({"tags": ("t",) * 5_000}, "attributes.values[tags]", "list_items_max"),
    ],
)
async def test_a_wrong_attribute_is_named_and_its_value_is_not(server, attributes, field, words):
    with pytest.raises(InvalidInput) as caught:
        await server.client().evaluate("alice", "analytics", attributes=attributes)
    assert [violation.field for violation in caught.value.violations] == [field]
    assert words in caught.value.violations[0].description
    (value,) = attributes.values()
    assert str(value) not in caught.value.message


async def test_every_wrong_attribute_is_named_at_once(server):
    with pytest.raises(InvalidInput) as caught:
        await server.client().evaluate(
            "alice", "analytics", attributes={"age": "old", "city": 7, "nope": True}
        )
    assert len(caught.value.violations) == 3


async def raw(server, request, method="EvaluateSegments", key=None):
    """A call past the client's own checks."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        call = channel.unary_unary(
            f"/segserver.v1.SegmentationService/{method}",
            request_serializer=lambda message: (
                message if isinstance(message, bytes) else message.SerializeToString()
            ),
            response_deserializer=pb.EvaluateSegmentsResponse.FromString,
        )
        return await call(
            request, metadata=[("authorization", f"Bearer {key or server.dev_key}")], timeout=10
        )


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
async def test_a_number_that_is_none_is_refused(server, number):
    request = pb.EvaluateSegmentsRequest(subject=value_pb2.SubjectId(id="alice"), purpose="analytics")
    request.attributes.values["age"].double_value = number
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw(server, request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "not finite" in caught.value.details()


async def test_ten_megabytes_are_refused_before_they_are_read(server):
    request = pb.EvaluateSegmentsRequest(subject=value_pb2.SubjectId(id="alice"), purpose="analytics")
    request.attributes.values["city"].string_value = "x" * 10_000_000
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw(server, request)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_bytes_that_are_no_message_are_refused(server):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw(server, b"\xff" * 50)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (await server.client().evaluate("alice", "analytics")).results


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.EvaluateSegmentsRequest(subject=value_pb2.SubjectId(id="alice")), "purpose"),
        (pb.EvaluateSegmentsRequest(purpose="analytics"), "subject.id"),
        (
            pb.EvaluateSegmentsRequest(subject=value_pb2.SubjectId(id="x" * 600), purpose="analytics"),
            "subject.id",
        ),
    ],
)
async def test_what_a_request_must_have(server, request_, reason):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw(server, request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details().startswith(reason)


async def test_an_unknown_segment_has_near_names(server):
    with pytest.raises(NotFound, match="did you mean people/adults"):
        await server.client().evaluate("alice", "analytics", segments=["people/adult"])


async def test_an_unknown_purpose_has_near_names(server):
    with pytest.raises(NotFound, match="analytics"):
        await server.client().evaluate("alice", "analytic")


async def test_a_segment_that_serves_another_purpose(server):
    with pytest.raises(InvalidInput, match="people/leeds does not serve this purpose; it serves analytics"):
        await server.client().evaluate("alice", "marketing", segments=["people/leeds"])


async def test_a_stranger_is_turned_away_and_recorded(server):
    for key in ("", "segserver_wrong"):
        with pytest.raises(Unauthenticated):
            await server.client(key).evaluate("alice", "analytics")
    entry = server.entries()[-1]
    assert (entry.kind, entry.result) == (Kind.ACCESS_DENIED, "UNAUTHENTICATED")


async def test_a_role_and_a_purpose_are_asked_for(server):
    analyst = server.caller("ann", ["analyst"])
    with pytest.raises(PermissionDenied, match="none of the roles"):
        await analyst.evaluate("alice", "analytics")
    shop = server.caller("shop", ["evaluator"], ["analytics"])
    assert (await shop.evaluate("alice", "analytics")).results
    with pytest.raises(PermissionDenied, match="may not ask for this purpose"):
        await shop.evaluate("alice", "marketing")
    assert [entry.result for entry in server.entries() if entry.kind is Kind.ACCESS_DENIED] == [
        "ROLE_MISSING",
        "PURPOSE_NOT_PERMITTED",
    ]


async def test_an_explanation_shows_values_only_to_those_who_may_see_them(server):
    client, officer = server.caller("shop", ["evaluator"]), server.caller("olga", ["officer"])
    await server.client().upsert_profile("alice", {"age": 44, "city": "York"})
    blind = await client.explain("alice", "people/adults-of-leeds", "analytics")
    seeing = await officer.explain("alice", "people/adults-of-leeds", "analytics")

    def values(node):
        return {node.expression: node.value} | {
            k: v for child in node.children for k, v in values(child).items()
        }

    assert set(values(blind.tree).values()) == {""}
    assert values(seeing.tree)["city"] == "York"
    assert [condition.expression for condition in seeing.smallest_change] == ["segments.people.leeds"]
    assert blind.result.outcome is Outcome.NOT_MEMBER
    assert server.entries()[-1].kind is Kind.EXPLAIN


async def test_no_answer_leaves_when_its_entry_can_not_be_written(server):
    client = server.client(retries=0)
    writer = server.engine.store.writer._session.connection
    writer.execute("PRAGMA query_only=ON")
    with pytest.raises(Unavailable, match="store"):
        await client.evaluate("alice", "analytics")
    with pytest.raises(Unavailable, match="store"):
        await client.upsert_profile("alice", {"age": 3})
    writer.execute("PRAGMA query_only=OFF")
    assert (await client.evaluate("alice", "analytics")).results
    with pytest.raises(NotFound):
        await client.get_profile("alice")


async def test_a_full_worker_refuses_at_once(tmp_path):
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG}, limits={"concurrent_calls_max": 1})
    begun, hold, blocked = threading.Event(), threading.Event(), engine.store.writer

    def slow(connection):
        begun.set()
        hold.wait(5)

    async with running(engine) as server:
        holding = asyncio.ensure_future(blocked.write(slow))
        await asyncio.to_thread(begun.wait, 5)
        client = server.client(retries=0)
        first = asyncio.ensure_future(client.evaluate("alice", "analytics"))
        while not blocked.queued:
            await asyncio.sleep(0.001)
        with pytest.raises(LimitExceeded, match="concurrent_calls_max"):
            await client.evaluate("alice", "analytics")
        hold.set()
        await holding
        assert (await first).results


async def test_an_internal_failure_tells_nothing(server, monkeypatch):
    def fail(*args):
        raise RuntimeError("secret of alice")

    monkeypatch.setattr(type(server.engine.evaluator), "evaluate", fail)
    with pytest.raises(SegserverError) as caught:
        await server.client(retries=0).evaluate("alice", "analytics")
    assert "secret" not in str(caught.value)


async def test_many_wrong_attributes_cost_little_and_the_first_are_named(server):
    client = server.client()
    wrong = {f"joine{number}": 1 for number in range(256)}
    with pytest.raises(InvalidInput) as refused:
        await client.evaluate("alice", "analytics", attributes=wrong)
    assert len(refused.value.violations) == 16
    assert "did you mean joined?" in refused.value.violations[0].description
    message = pb.BatchEvaluateSegmentsRequest(purpose="analytics")
    for number in range(1_000):
        item = message.subjects.add(subject=value_pb2.SubjectId(id=f"s{number}"))
        for name in wrong:
            item.attributes.values[name].int_value = 1
    async with grpc.aio.insecure_channel(server.address) as channel:
        call = channel.unary_unary(
            "/segserver.v1.SegmentationService/BatchEvaluateSegments",
            pb.BatchEvaluateSegmentsRequest.SerializeToString,
            pb.BatchEvaluateSegmentsResponse.FromString,
        )
        reply = await call(message, metadata=[("authorization", f"Bearer {server.dev_key}")])
    assert {result.error.reason for result in reply.results} == {"ATTRIBUTE_INVALID"}


def levels(node):
    return 1 + max(map(levels, node.children), default=0)


async def test_an_explanation_of_a_long_chain_of_segments_can_be_read(tmp_path):
    """Each segment refers to the one before, at the deepest place that a rule has."""
    deep = " + ".join(["age"] * 29)
    rules = [f"{deep} > 9000", *(f"{deep} > {n + 9000} || segments.chain.s{n - 1}" for n in range(1, 40))]
    head = CATALOG.partition("segments:")[0]
    chain = [f"  - {{id: chain/s{n}, rule: '{rule}', purposes: [analytics]}}" for n, rule in enumerate(rules)]
    async with running(open_engine(tmp_path, {"c.yaml": "\n".join([head, "segments:", *chain])})) as server:
        client = server.client()
        found = await client.explain("alice", "chain/s39", "analytics", attributes={"age": 20})
        assert found.result.outcome is Outcome.NOT_MEMBER
        assert 56 < levels(found.tree) < 95
        last = await client.explain("alice", "chain/s0", "analytics", attributes={"age": 20})
        assert 28 < levels(last.tree) < 34


@pytest.mark.parametrize(("purpose", "others"), [("marketing", "withheld"), ("analytics", "unknown")])
async def test_an_entry_holds_the_answer_about_any_number_of_segments(tmp_path, purpose, others):
    head = CATALOG.partition("segments:")[0]
    many = [f"  - {{id: people/one-of-very-many-{n}, rule: age > {n}}}" for n in range(3_000)]
    async with running(open_engine(tmp_path, {"c.yaml": "\n".join([head, "segments:", *many])})) as server:
        answer = await server.client().evaluate("alice", purpose)
        assert len(answer.results) == 3_000
        entry = server.entries()[-1]
        assert entry.segments.others == others
        assert not entry.segments.withheld + entry.segments.unknown + entry.segments.not_member
