"""Lists of subjects over real gRPC: uploaded, asked about, replaced as a whole."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from servers import Clock, open_engine, running

from segserver.audit.entry import Kind
from segserver.engine.lists import Upload
from segserver.errors import Conflict, InvalidInput, LimitExceeded, NotFound, PermissionDenied
from segserver.model import Caller, Outcome, Role, SubjectId

EVERYTHING = Caller("shop", frozenset(Role), frozenset({"*"}))

CATALOG = """
purposes:
  service: {legal_basis: contract, categories: [behavioral], memberships: true}
  other: {legal_basis: contract, categories: [behavioral]}
lists:
  vip-2026: {category: behavioral, purposes: [service], owner: crm}
attributes:
  points: {type: int, category: behavioral}
segments:
  - {id: vips, rule: in_list("vip-2026")}
  - {id: others, rule: '!in_list("vip-2026")'}
  - {id: rich, rule: points > 10}
"""


@pytest.fixture
async def server(tmp_path):
    clock = Clock()
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG}, clock=clock, limits={"list_ids_max": 30_000})
    async with running(engine, clock) as server:
        yield server


async def upload(client, ids, name="vip-2026", **more):
    return [step async for step in client.upload_list(name, ids, **more)]


async def outcome(client, subject):
    answer = await client.evaluate(subject, "service", ["vips"])
    return answer.results[0].outcome


async def test_a_rule_knows_who_is_in_a_list(server):
    client = server.client()
    assert await outcome(client, "ada") is Outcome.UNKNOWN
    steps = await upload(client, ["ada", "eve", "ada", ""], owner="crm")
    assert (steps[-1].taken, steps[-1].rejected, steps[-1].list.size) == (3, 1, 2)
    assert list(steps[-1].rejections) == [3]
    assert await outcome(client, "ada") is Outcome.MEMBER
    assert await outcome(client, "bob") is Outcome.NOT_MEMBER
    (shown,) = await client.lists()
    assert (shown.name, shown.owner, shown.size, shown.expire_time) == ("vip-2026", "crm", 2, None)
    assert Kind.LIST_UPLOADED in [entry.kind for entry in server.entries()]


async def test_an_alias_is_the_same_person(server):
    client = server.client()
    await client.upsert_profile("ada", {"points": 1})
    await client.add_alias("ada", SubjectId("email", "ada@example.org"))
    await upload(client, ["Ada@Example.org"], id_type="email")
    assert await outcome(client, "ada") is Outcome.MEMBER
    assert await outcome(client, SubjectId("email", "ada@example.org")) is Outcome.MEMBER


async def test_a_list_is_replaced_as_a_whole(server):
    client = server.client()
    await upload(client, ["ada"])
    stream = client.upload_list("vip-2026", (f"customer-{number}" for number in range(25_000)))
    first = await anext(stream)
    assert first.taken == 10_000
    assert await outcome(client, "ada") is Outcome.MEMBER
    assert await outcome(client, "customer-1") is Outcome.NOT_MEMBER
    last = [step async for step in stream][-1]
    assert last.list.size == 25_000
    assert await outcome(client, "ada") is Outcome.NOT_MEMBER
    assert await outcome(client, "customer-1") is Outcome.MEMBER
    for _ in range(50):
        rows = server.engine.store.reader.execute("SELECT COUNT(*) FROM list_members").fetchone()[0]
        if rows == 25_000:
            break
        await asyncio.sleep(0.05)
    assert rows == 25_000  # nothing of the former version stays


async def test_an_expired_list_is_unknown(server):
    client = server.client()
    await upload(client, ["ada"], expires=server.clock.time + dt.timedelta(days=1))
    assert await outcome(client, "ada") is Outcome.MEMBER
    server.clock.time += dt.timedelta(days=1)
    assert await outcome(client, "ada") is Outcome.UNKNOWN


async def test_memberships_follow_a_list(server):
    client = server.client()
    await client.upsert_profile("ada", {"points": 1})
    await upload(client, ["ada"])
    await client.refresh_memberships()
    assert len([one async for one in client.members("vips", "service")]) == 1
    await upload(client, ["eve"])
    await client.refresh_memberships()
    assert [one async for one in client.members("vips", "service")] == []


async def test_a_list_serves_its_purposes_alone(server):
    answer = await server.client().evaluate("ada", "other")
    assert [result.segment for result in answer.results] == ["rich"]


async def test_everybody_at_once_is_asked_about_lists_too(server):
    client = server.client()
    for name in ("ada", "bob"):
        await client.upsert_profile(name, {"points": 1})
    await upload(client, ["ada"])
    found = {}
    async for page in server.engine.bulk.evaluate_all(EVERYTHING, "service"):
        for token, numbers in zip(page.tokens, page.numbers, strict=True):
            found[token] = [page.distinct[place].outcome.name for place in numbers]
    assert sorted(found.values()) == [
        ["MEMBER", "NOT_MEMBER", "NOT_MEMBER"],
        ["NOT_MEMBER", "NOT_MEMBER", "MEMBER"],
    ]


async def test_an_erased_subject_is_on_no_list(server):
    client = server.client()
    await client.upsert_profile("ada", {"points": 1})
    await upload(client, ["ada", "eve"])
    await client.erase_subject("ada")
    assert await outcome(client, "ada") is Outcome.NOT_MEMBER


async def test_wrong_uploads_say_what_is_wrong_and_change_nothing(server):
    client = server.client()
    await upload(client, ["ada"])
    with pytest.raises(NotFound, match="vip-2026"):
        await upload(client, ["eve"], name="vip-2062")
    with pytest.raises(InvalidInput, match="over already"):
        await upload(client, ["eve"], expires=server.clock.time)
    for owner in ("crm\n", "x" * 201):
        with pytest.raises(InvalidInput, match="at most 200 characters"):
            await upload(client, ["eve"], owner=owner)
    with pytest.raises(InvalidInput, match="no id"):
        await upload(client, [])
    with pytest.raises(LimitExceeded, match="list_ids_max"):
        await upload(client, [f"customer-{number}" for number in range(30_001)])
    with pytest.raises(PermissionDenied):
        await upload(server.caller("reader", ["evaluator"]), ["eve"])
    assert await outcome(client, "ada") is Outcome.MEMBER
    await client.delete_list("vip-2026")
    assert await outcome(client, "ada") is Outcome.UNKNOWN
    with pytest.raises(NotFound):
        await client.delete_list("vip-2026")


async def pieces(*given):
    for piece in given:
        yield piece


async def test_uploads_at_the_same_time_lose_nothing_of_each_other(server):
    slow = server.engine.lists.upload(EVERYTHING, Upload("vip-2026", ""), pieces(["ada"], ["bob"], ["eve"]))
    await anext(slow)
    await upload(server.client(), ["dan"])
    assert [step async for step in slow][-1].size == 3


async def test_an_upload_that_is_cut_leaves_nothing(server):
    cut = server.engine.lists.upload(EVERYTHING, Upload("vip-2026", ""), pieces(["ada"], ["bob"]))
    await anext(cut)
    await cut.aclose()
    count = "SELECT (SELECT COUNT(*) FROM list_members) + (SELECT COUNT(*) FROM list_versions)"
    assert server.engine.store.reader.execute(count).fetchone()[0] == 0
    assert await server.client().lists() == ()


async def test_an_upload_that_idles_for_an_hour_is_told_so(server):
    slow = server.engine.lists.upload(EVERYTHING, Upload("vip-2026", ""), pieces(["ada"], ["bob"]))
    await anext(slow)
    server.clock.time += dt.timedelta(hours=2)
    await upload(server.client(), ["dan"])
    with pytest.raises(Conflict, match="upload the list again"):
        await anext(slow)
    assert (await server.client().lists())[0].size == 1


async def test_memberships_of_those_who_are_not_in_a_list_follow_it_too(server):
    client = server.client()
    await client.upsert_profile("bob", {"points": 1})
    await client.upsert_profile("ada", {"points": 1})
    await client.add_alias("ada", SubjectId("email", "ada@example.org"))
    await client.refresh_memberships()

    async def members(segment):
        await client.refresh_memberships()
        return len([one async for one in client.members(segment, "service")])

    await upload(client, ["eve"])
    assert await members("others") == 2
    await upload(client, ["ada@example.org"], id_type="email")
    assert (await members("others"), await members("vips")) == (1, 1)
    await client.delete_list("vip-2026")
    assert (await members("others"), await members("vips")) == (0, 0)


async def test_a_long_upload_that_is_refused_at_once_hears_why(server):
    client = server.client()
    for _ in range(10):
        with pytest.raises(NotFound, match="declares no list"):
            async for _ in client.upload_list("none", (f"id{n}" for n in range(50_000)), owner="shop"):
                pass
