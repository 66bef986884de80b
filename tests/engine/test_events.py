"""Events on the way of a question: recorded, sealed, computed and gated."""

import asyncio
import datetime as dt
import random
from dataclasses import replace

import pytest
from servers import NOON, open_engine

from segserver.engine.corridor import Question
from segserver.engine.events import Occurrence, Told
from segserver.errors import SegserverError
from segserver.model import Caller, Role, SubjectId
from segserver.rules.times import from_datetime

CALLER = Caller("shop", frozenset(Role), frozenset({"*"}))

CATALOG = {
    "catalog.yaml": """
purposes:
  service: {legal_basis: contract, categories: [behavioral, financial]}
  support: {legal_basis: contract, categories: [behavioral]}
attributes:
  vip: {type: bool, category: behavioral}
events:
  order:
    category: behavioral
    properties:
      amount: {type: double, category: financial}
      shelf: {type: string, category: behavioral, values: [garden, kitchen]}
  visit: {category: behavioral}
computed:
  orders_30d: {event: order, aggregate: count, window: 30d, category: behavioral}
  garden_orders:
    {event: order, aggregate: count, window: all, where: event.shelf == "garden", category: behavioral}
  spent: {event: order, aggregate: sum, of: amount, window: all, category: financial}
  visits: {event: visit, aggregate: count, window: all, category: behavioral}
segments:
  - {id: active, rule: orders_30d >= 2}
  - {id: gardener, rule: garden_orders > 0}
  - {id: big-spender, rule: spent >= 100.0}
  - {id: visitor, rule: visits > 0 && orders_30d == 0}
"""
}


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(tmp_path, CATALOG)
    yield engine
    engine.close()


def ada(number: int = 1) -> SubjectId:
    return SubjectId("customer", f"ada-{number}")


def order(days_ago: float, amount: float = 10.0, shelf: str = "kitchen", **more: object) -> Occurrence:
    at_us = from_datetime(NOON - dt.timedelta(days=days_ago))
    return Occurrence(ada(), "order", at_us, {"amount": amount, "shelf": shelf}, **more)


def record(engine, *occurrences):
    return asyncio.run(engine.events.record(CALLER, occurrences))


def outcomes(engine, purpose="service", subject=None, **more):
    question = Question(subject or ada(), purpose, **more)
    answer = asyncio.run(engine.evaluator.evaluate(CALLER, question))
    return {result.segment: result.outcome.name for result in answer.results}


def test_what_a_subject_did_decides_its_segments(engine):
    assert record(engine, order(1, 60.0), order(29, 50.0, "garden"), order(31)) == [Told.RECORDED] * 3
    assert outcomes(engine) == {
        "active": "MEMBER",
        "gardener": "MEMBER",
        "big-spender": "MEMBER",
        "visitor": "NOT_MEMBER",
    }


def test_nothing_was_done_by_a_subject_that_is_not_stored(engine):
    assert set(outcomes(engine).values()) == {"NOT_MEMBER"}


def test_as_of_an_earlier_moment_later_events_have_not_happened(engine):
    record(engine, order(1), order(2))
    before = from_datetime(NOON - dt.timedelta(days=1.5))
    assert outcomes(engine, segments=("active",), at_us=before) == {"active": "NOT_MEMBER"}


def test_what_is_computed_of_a_withheld_property_is_withheld_with_it(engine):
    record(engine, order(1, 500.0), order(2))
    assert outcomes(engine, "support") == {
        "active": "MEMBER",
        "gardener": "NOT_MEMBER",
        "visitor": "NOT_MEMBER",
    }


def test_an_event_with_an_id_is_recorded_once(engine):
    first = order(1, id="o-1")
    assert record(engine, first, first) == [Told.RECORDED, Told.REPEATED]
    assert record(engine, first, order(2, id="o-2")) == [Told.REPEATED, Told.RECORDED]
    assert outcomes(engine, segments=("active",)) == {"active": "MEMBER"}
    (told,) = record(engine, order(1, 11.0, id="o-1"))
    assert isinstance(told, SegserverError)
    assert told.reason == "EVENT_ID_TAKEN"


def test_an_event_of_one_person_is_recorded_once_under_whatever_id(engine):
    record(engine, order(5))
    email = SubjectId("email", "ada@example.org")
    asyncio.run(engine.rights.add_alias(CALLER, ada(), email))
    at_us = from_datetime(NOON)
    by_both = [Occurrence(who, "visit", at_us, {}, "v-1") for who in (ada(), email)]
    assert record(engine, *by_both) == [Told.RECORDED, Told.REPEATED]
    assert record(engine, by_both[1]) == [Told.REPEATED]


@pytest.mark.parametrize(
    ("occurrence", "reason", "field"),
    [
        (Occurrence(ada(), "ordr", from_datetime(NOON), {}), "EVENT_UNDECLARED", "event.name"),
        (order(1, shelf="attic"), "PROPERTY_INVALID", "event.properties.values[shelf]"),
        (order(1, amount="much"), "PROPERTY_INVALID", "event.properties.values[amount]"),
        (order(1, amount=1e13), "PROPERTY_INVALID", "event.properties.values[amount]"),
        (order(-1), "EVENT_TIME_REFUSED", "event.time"),
        (order(365 * 56), "EVENT_TIME_REFUSED", "event.time"),
    ],
)
def test_a_wrong_event_is_refused_by_name_and_the_good_ones_land(engine, occurrence, reason, field):
    told = record(engine, order(1), occurrence, order(2))
    assert [told[0], told[2]] == [Told.RECORDED] * 2
    assert told[1].reason == reason
    assert [violation.field for violation in told[1].violations] == [field]
    assert outcomes(engine, segments=("active",)) == {"active": "MEMBER"}


def test_many_events_in_any_order_count_as_one_by_one(engine, monkeypatch):
    """Small parts, so that merging, closing and late events all happen."""
    monkeypatch.setattr("segserver.engine.histories.CHUNK_ROWS", 8)
    monkeypatch.setattr("segserver.engine.histories.MERGED_PARTS", 3)
    chance = random.Random(7)
    days = [chance.uniform(0, 60) for _ in range(300)]
    shelves = [chance.choice(["garden", "kitchen"]) for _ in days]
    position = 0
    while position < len(days):
        size = chance.choice([1, 1, 2, 5, 40])
        batch = [order(days[i], 0.1, shelves[i]) for i in range(position, min(position + size, len(days)))]
        assert set(record(engine, *batch)) == {Told.RECORDED}
        position += size
    key = engine.events._pseudonyms.subject_key(ada())
    subject = engine.events._keeper.require(engine.store.reader, key)
    history, parts = engine.events._histories.read(engine.store.reader, subject, "order")
    assert len(parts) < 60
    program = engine.catalogs.serving.catalog.behavior.program
    values = program.evaluate(
        ["orders_30d", "garden_orders", "spent"],
        {"order": history},
        from_datetime(NOON),
        zone=None,
        floors={},
    )
    assert values == {
        "orders_30d": sum(day < 30 for day in days),
        "garden_orders": shelves.count("garden"),
        "spent": pytest.approx(30.0),
    }


def test_an_erased_subject_has_done_nothing(engine, tmp_path):
    record(engine, order(1, shelf="garden"), order(2))
    asyncio.run(engine.rights.erase(CALLER, ada()))
    assert set(outcomes(engine).values()) == {"NOT_MEMBER"}
    assert engine.store.reader.execute("SELECT COUNT(*) FROM event_parts").fetchone()[0] == 0


def test_an_event_past_its_retention_counts_no_more(tmp_path):
    text = CATALOG["catalog.yaml"] + "\npolicy: {retention: {behavioral: 10d}}\n"
    engine = open_engine(tmp_path, {"catalog.yaml": text})
    try:
        record(engine, order(9), order(11))
        assert outcomes(engine, segments=("active",)) == {"active": "NOT_MEMBER"}
        record(engine, order(3))
        assert outcomes(engine, segments=("active",)) == {"active": "MEMBER"}
    finally:
        engine.close()


def test_everybody_at_once_is_answered_as_one_at_a_time(engine):
    chance = random.Random(3)
    for number in range(12):
        happened = [
            Occurrence(
                ada(number),
                chance.choice(["order", "visit"]),
                from_datetime(NOON - dt.timedelta(days=chance.uniform(0, 60))),
                {},
            )
            for _ in range(chance.randrange(6))
        ]
        record(engine, *happened)

    async def everybody(purpose):
        found = {}
        async for page in engine.bulk.evaluate_all(CALLER, purpose):
            for token, numbers in zip(page.tokens, page.numbers, strict=True):
                results = [page.distinct[place] for place in numbers]
                found[token] = {result.segment: result.outcome.name for result in results}
        return found

    for purpose in ("service", "support"):
        found = asyncio.run(everybody(purpose))
        assert found
        for number in range(12):
            question = Question(ada(number), purpose)
            answer = asyncio.run(engine.evaluator.evaluate(CALLER, question))
            alone = {result.segment: result.outcome.name for result in answer.results}
            assert found.get(answer.subject_token, alone) == alone


def test_whose_events_can_not_be_read_is_alone_without_an_answer(engine):
    for number in range(4):
        record(engine, replace(order(1, 500.0), subject=ada(number)))
    key = engine.events._pseudonyms.subject_key(ada(2))
    statement = "UPDATE event_parts SET body = ? WHERE subject_key = ?"
    asyncio.run(engine.store.writer.write(lambda c: c.execute(statement, (b"damaged", key))))

    async def everybody():
        return [page async for page in engine.bulk.evaluate_all(CALLER, "service")]

    (page,) = asyncio.run(everybody())
    assert len(page.tokens) == 3
    assert [error.reason for error in page.errors.values()] == ["SEAL_BROKEN"]
    assert len(page.errors.keys() | set(page.tokens)) == 4


def test_a_subject_that_can_not_be_written_holds_up_no_other(engine):
    record(engine, order(1, id="o-1"))
    statement = "UPDATE subjects SET profile = ? WHERE subject_key = ?"
    key = engine.events._pseudonyms.subject_key(ada())
    asyncio.run(engine.store.writer.write(lambda c: c.execute(statement, (b"damaged", key))))
    other = replace(order(2), subject=ada(2))
    told = record(engine, order(2), other, order(3), replace(other, event="attic"))
    assert [one.reason for one in (told[0], told[2], told[3])] == ["SEAL_BROKEN"] * 2 + ["EVENT_UNDECLARED"]
    assert told[1] is Told.RECORDED
    assert outcomes(engine, subject=ada(2), segments=("visitor",)) == {"visitor": "NOT_MEMBER"}


def test_a_late_event_in_the_middle_of_an_answer_does_not_fail_it(engine, monkeypatch):
    monkeypatch.setattr("segserver.engine.histories.CHUNK_ROWS", 8)
    record(engine, *(order(40 - number) for number in range(30)))
    histories, late = engine.events._histories, order(30.2)
    summary = engine.catalogs.serving.catalog.behavior.program.summarize
    read, times = histories.read, []

    def interrupted(connection, subject, event):
        found = read(connection, subject, event)
        if not times:
            times.append(late.at_us)
            recorded = [(late.at_us, {"amount": 1.0, "shelf": "kitchen"})]
            engine.store.writer.write_blocking(
                lambda writing: histories.append(writing, subject, event, recorded, summary)
            )
        return found

    monkeypatch.setattr(histories, "read", interrupted)
    assert outcomes(engine, segments=("active",)) == {"active": "MEMBER"}
    assert times
