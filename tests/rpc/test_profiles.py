"""ProfileService over real gRPC: the good rows land, the bad ones are named, nothing is half-written."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import open_engine, running

from segserver.audit.entry import Kind
from segserver.client import Event, ProfileChange
from segserver.errors import InvalidInput, NotFound, PermissionDenied
from segserver.model import SubjectId

CATALOG = """
purposes:
  analytics: {legal_basis: legitimate_interest, categories: [demographic, behavioral]}
attributes:
  age: {type: int, category: demographic}
  score: {type: double, category: behavioral}
  city: {type: string, category: demographic}
  member: {type: bool, category: behavioral}
  joined: {type: timestamp, category: behavioral}
  tags: {type: list(string), category: behavioral}
events:
  order: {category: behavioral, properties: {amount: {type: double, category: behavioral}}}
computed:
  orders: {event: order, aggregate: count, window: all, category: behavioral}
segments:
  - {id: people/adults, rule: age >= 18}
  - {id: people/buyers, rule: orders > 0}
"""


@pytest.fixture
async def server(tmp_path):
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG}, limits={"profile_bytes_max": 20_000})
    async with running(engine) as server:
        yield server


async def test_attributes_are_merged_and_counted(server):
    client = server.client()
    assert (await client.upsert_profile("alice", {"age": 44, "city": "Leeds"})).revision == 1
    assert (await client.upsert_profile("alice", {"city": "York"}, removed=["age"])).revision == 2
    profile = await client.get_profile("alice")
    assert profile.attributes == {"city": "York"}
    assert profile.revision == 2
    assert profile.update_time == server.clock.time


async def test_one_person_is_one_subject_however_the_id_is_spelled(server):
    client = server.client()
    await client.upsert_profile(SubjectId("email", "Alice@Example.ORG"), {"age": 44})
    profile = await client.get_profile(SubjectId("email", "  alice@example.org "))
    assert profile.attributes == {"age": 44}


async def test_every_type_comes_back_as_it_was_sent(server):
    attributes = {
        "age": -(2**63),
        "score": 0.1,
        "city": "Zürich \N{SNOWMAN}",
        "member": False,
        "joined": dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
        "tags": ("a", "", "b"),
    }
    client = server.client()
    await client.upsert_profile("alice", attributes)
    assert (await client.get_profile("alice")).attributes == attributes


async def test_a_bad_row_does_not_hurt_the_good_ones(server):
    client = server.client()
    rows = [
        ("a", {"age": 1}),
        ("b", {"age": "one"}),
        ("c", {"unknown": 1}),
        ("d", {"age": 4}),
        ("e", {"city": "x" * 15_000, "tags": ("y" * 6_000,)}),
    ]
    a, b, c, d, e = await client.upsert_profiles([ProfileChange(*row) for row in rows])
    assert (a.revision, d.revision) == (1, 1)
    assert b.violations[0].field == "changes[1].attributes.values[age]"
    assert "declares no such attribute" in c.message
    assert e.metadata["limit"] == "profile_bytes_max" if e.metadata else "profile_bytes_max" in e.message
    assert (await client.get_profile("d")).attributes == {"age": 4}
    for missing in ("b", "c", "e"):
        with pytest.raises(NotFound):
            await client.get_profile(missing)
    written = [entry for entry in server.entries() if entry.kind is Kind.PROFILE_WRITTEN]
    assert len(written) == 2
    assert {entry.read for entry in written} == {("age",)}


async def test_a_change_must_change_something(server):
    client = server.client()
    with pytest.raises(InvalidInput, match="nothing"):
        await client.upsert_profile("alice", {})
    with pytest.raises(InvalidInput, match="set and removed"):
        await client.upsert_profile("alice", {"age": 1}, removed=["age"])
    with pytest.raises(NotFound, match="did you mean city"):
        await client.upsert_profile("alice", {}, removed=["cty"])


async def test_a_read_of_personal_data_is_recorded_and_needs_a_role(server):
    client = server.client()
    await client.upsert_profile("alice", {"age": 44})
    await client.get_profile("alice")
    entry = server.entries()[-1]
    assert (entry.kind, entry.read) == (Kind.PROFILE_READ, ("age",))
    with pytest.raises(PermissionDenied):
        await server.caller("shop", ["evaluator"]).get_profile("alice")


async def test_two_changes_to_one_subject_in_one_batch_both_count(server):
    client = server.client()
    await client.upsert_profiles([ProfileChange("a", {"age": 1}), ProfileChange("a", {"city": "Leeds"})])
    profile = await client.get_profile("a")
    assert profile.attributes == {"age": 1, "city": "Leeds"}
    assert profile.revision == 2


VALUES = {
    "age": st.integers(-(2**63), 2**63 - 1),
    "score": st.floats(allow_nan=False, allow_infinity=False),
    "city": st.text(max_size=50),
    "member": st.booleans(),
    "tags": st.lists(st.text(max_size=10), max_size=5).map(tuple),
}


@settings(max_examples=30)
@given(changes=st.lists(st.fixed_dictionaries({}, optional=VALUES).filter(bool), min_size=1, max_size=4))
def test_whatever_is_merged_is_what_a_dictionary_would_hold(tmp_path_factory, changes):
    import asyncio

    async def check():
        folder = tmp_path_factory.mktemp("merge")
        async with running(open_engine(folder, {"catalog.yaml": CATALOG})) as server:
            client = server.client()
            expected = {}
            for change in changes:
                await client.upsert_profile("alice", change)
                expected |= change
            assert (await client.get_profile("alice")).attributes == expected

    asyncio.run(check())


def order(subject: str, hour: int, **more: object) -> Event:
    return Event(subject, "order", dt.datetime(2026, 6, 14, hour, tzinfo=dt.UTC), {"amount": 1.5}, **more)


async def test_events_land_and_wrong_ones_are_named(server):
    client = server.client()
    wrong = Event("bob", "ordr", dt.datetime(2026, 6, 14, tzinfo=dt.UTC))
    told = await client.record_events([order("bob", 1, id="1"), wrong, order("bob", 1, id="1")])
    assert (told.recorded, told.repeated) == (1, 1)
    assert told.rejected[1].violations[0].field == "events[1].name"
    answer = await client.evaluate("bob", "analytics", ["people/buyers"])
    assert answer.members == ("people/buyers",)
    kinds = [entry.kind for entry in server.entries()]
    assert kinds.count(Kind.EVENTS_RECORDED) == 1


async def test_a_stream_of_events_is_answered_request_by_request(server):
    client = server.client()
    batches = [[order("bob", 1), order("eve", 2)], [order("bob", 3)]]
    told = [one.recorded async for one in client.stream_events(batches)]
    assert told == [2, 1]


async def test_a_stream_is_for_writers(server):
    client = server.caller("reader", ["evaluator"])
    with pytest.raises(PermissionDenied):
        [one async for one in client.stream_events([[order("bob", 1)]])]


async def test_too_many_events_are_refused_with_the_limit_named(tmp_path):
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG}, limits={"events_max": 2})
    async with running(engine) as server:
        with pytest.raises(InvalidInput, match=r"limits\.events_max"):
            await server.client().record_events([order("bob", hour) for hour in range(3)])
