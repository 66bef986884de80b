"""What is past its time leaves the store: events, and the members of lists."""

from __future__ import annotations

import asyncio
import datetime as dt
import random

import pytest
from servers import NOON, Clock, entries, open_engine, running

from segserver.audit.entry import Kind
from segserver.engine.corridor import Question
from segserver.engine.events import Occurrence, Told
from segserver.engine.upkeep import SWEEPER
from segserver.events.history import CHUNK_ROWS
from segserver.model import Caller, Role, SubjectId
from segserver.rules.times import from_datetime

CALLER = Caller("shop", frozenset(Role), frozenset({"*"}))
CATALOG = {
    "catalog.yaml": """
purposes:
  service: {legal_basis: contract, categories: [behavioral, financial, technical]}
events:
  order:
    category: behavioral
    properties: {amount: {type: double, category: financial}}
  visit: {category: technical}
computed:
  orders: {event: order, aggregate: count, window: all, category: behavioral}
  spent: {event: order, aggregate: sum, of: amount, window: all, category: financial}
  visits: {event: visit, aggregate: count, window: all, category: technical}
lists:
  vip: {category: behavioral, purposes: [service], owner: crm}
segments:
  - {id: buyer, rule: orders >= 2}
  - {id: spender, rule: spent >= 100.0}
  - {id: visitor, rule: visits >= 1}
policy:
  retention: {financial: 30d, behavioral: 365d}
"""
}
DAY = dt.timedelta(days=1)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def engine(tmp_path, clock):
    engine = open_engine(tmp_path, CATALOG, clock=clock)
    yield engine
    engine.close()


def who(name: str) -> SubjectId:
    return SubjectId("customer", name)


def occurred(name: str, event: str, days_ago: float, **properties: object) -> Occurrence:
    return Occurrence(who(name), event, from_datetime(NOON - days_ago * DAY), properties)


def record(engine, *occurrences: Occurrence) -> None:
    told = asyncio.run(engine.events.record(CALLER, occurrences))
    assert set(told) == {Told.RECORDED}


def values(engine, name: str) -> dict[str, object]:
    """The outcome of each segment."""
    answer = asyncio.run(engine.evaluator.evaluate(CALLER, Question(who(name), "service")))
    return {result.segment: result.outcome for result in answer.results}


def kept(engine) -> int:
    return engine.store.reader.execute("SELECT COALESCE(SUM(events), 0) FROM event_parts").fetchone()[0]


def test_events_past_the_shortest_retention_of_their_parts_are_swept(engine, clock):
    record(
        engine,
        occurred("ada", "order", 31, amount=500.0),
        occurred("ada", "order", 30, amount=500.0),
        occurred("ada", "order", 29, amount=60.0),
        occurred("ada", "visit", 400),
        occurred("bob", "order", 1, amount=1.0),
        occurred("eve", "order", 200, amount=1.0),
    )
    before = {name: values(engine, name) for name in ("ada", "bob", "eve")}
    assert engine.upkeep.sweep() == 2
    assert kept(engine) == 3
    assert {name: values(engine, name) for name in before} == before
    swept = [entry for entry in entries(engine) if entry.caller == SWEEPER]
    assert sorted((entry.kind, entry.details["event order"]) for entry in swept) == [
        (Kind.PROFILE_WRITTEN, "1"),
        (Kind.PROFILE_WRITTEN, "2"),
    ]
    assert engine.upkeep.sweep() == 0
    clock.time = NOON + DAY
    assert engine.upkeep.sweep() == 1
    assert kept(engine) == 2


def test_a_swept_event_is_not_recorded_again_under_its_id(engine):
    order = Occurrence(who("ada"), "order", from_datetime(NOON - 40 * DAY), {"amount": 1.0}, "o-1")
    record(engine, order)
    assert engine.upkeep.sweep() == 1
    assert asyncio.run(engine.events.record(CALLER, [order])) == [Told.REPEATED]
    assert kept(engine) == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_closed_parts_are_dropped_cut_and_go_on(engine, clock, seed):
    """Long histories, in any order of recording: what is left answers as what was never anything else."""
    chance = random.Random(seed)
    count = 3 * CHUNK_ROWS
    days = sorted(chance.uniform(0, 60) for _ in range(count))
    amounts = [float(chance.randrange(100)) for _ in days]
    events = [occurred("ada", "order", day, amount=amount) for day, amount in zip(days, amounts, strict=True)]
    chance.shuffle(events)
    for start in range(0, count, 1_500):
        record(engine, *events[start : start + 1_500])
    values(engine, "ada")  # lets closed parts learn
    clock.time = NOON + 10 * DAY
    young = [event for event in events if event.at_us > from_datetime(NOON - 20 * DAY)]
    assert engine.upkeep.sweep() == 1
    assert kept(engine) == len(young)
    late = occurred("ada", "order", 19.5, amount=7.0)
    record(engine, late)
    spent = sum(event.properties["amount"] for event in [*young, late])
    exact = CATALOG["catalog.yaml"].replace("spent >= 100.0", f"spent == {spent}")
    exact = exact.replace("orders >= 2", f"orders == {len(young) + 1}")
    asyncio.run(engine.catalogs.publish(CALLER, {"catalog.yaml": exact}))
    found = {segment: outcome.name for segment, outcome in values(engine, "ada").items()}
    assert found == {"buyer": "MEMBER", "spender": "MEMBER", "visitor": "NOT_MEMBER"}


def test_an_event_that_is_declared_no_more_stays_until_it_is_erased(engine):
    record(engine, occurred("ada", "order", 40, amount=1.0))
    without = "purposes:\n  service: {legal_basis: contract, categories: [behavioral]}\n"
    asyncio.run(engine.catalogs.publish(CALLER, {"catalog.yaml": without}))
    assert engine.upkeep.sweep() == 0
    asyncio.run(engine.rights.erase(CALLER, who("ada")))
    assert kept(engine) == 0


def test_a_damaged_part_keeps_nothing_else_from_being_swept(engine):
    record(engine, occurred("ada", "order", 40, amount=1.0), occurred("bob", "order", 40, amount=1.0))
    key = engine.store.reader.execute("SELECT subject_key FROM event_parts LIMIT 1").fetchone()[0]
    engine.store.writer.write_blocking(
        lambda c: c.execute("UPDATE event_parts SET body = ? WHERE subject_key = ?", (b"\0", key))
    )
    assert engine.upkeep.sweep() == 1
    assert kept(engine) == 1


async def test_an_expired_list_is_deleted_with_its_members(tmp_path):
    clock = Clock()
    engine = open_engine(tmp_path, CATALOG, clock=clock)
    async with running(engine, clock) as server:
        client = server.client()
        steps = [step async for step in client.upload_list("vip", ["ada", "eve"], expires=NOON + DAY)]
        assert steps[-1].list.size == 2
        assert await asyncio.to_thread(engine.upkeep.sweep) == 0
        clock.time = NOON + DAY
        assert await asyncio.to_thread(engine.upkeep.sweep) == 1
        assert await client.lists() == ()
        members = engine.store.reader.execute("SELECT COUNT(*) FROM list_members").fetchone()[0]
        assert members == 0
        (entry,) = [entry for entry in server.entries() if entry.kind is Kind.LIST_DELETED]
        assert (entry.caller, entry.details, entry.subjects) == (
            SWEEPER,
            {"list": "vip", "expired": "true"},
            2,
        )
