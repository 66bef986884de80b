"""What a subject did, in its export and back: nothing is lost but what the documents say is computed anew."""

from __future__ import annotations

import asyncio
import datetime as dt
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import NOON, Clock, entries, open_engine

from segserver.audit.entry import Kind
from segserver.engine.corridor import Question
from segserver.engine.events import Occurrence, Told
from segserver.engine.lists import Upload
from segserver.engine.portable import PortableEvents
from segserver.engine.profiles import Change
from segserver.errors import Conflict, InvalidInput, NotFound
from segserver.events.history import CHUNK_ROWS
from segserver.model import Caller, Role, SubjectId
from segserver.privacy.records import Record, RecordKind
from segserver.rules.times import from_datetime

CALLER = Caller("shop", frozenset(Role), frozenset({"*"}))
ADA = SubjectId("customer", "ada")
TEXT = """
purposes:
  mail: {legal_basis: consent, categories: [behavioral], memberships: true, profiling: false}
attributes:
  points: {type: int, category: behavioral}
events:
  order:
    category: behavioral
    properties:
      amount: {type: double, category: behavioral}
      pieces: {type: int, category: behavioral}
      shelf: {type: string, category: behavioral}
      gift: {type: bool, category: behavioral}
      due: {type: timestamp, category: behavioral}
  visit: {category: technical}
computed:
  last_shelf: {event: order, aggregate: last, of: shelf, window: all, category: behavioral}
  orders: {event: order, aggregate: count, window: all, category: behavioral}
lists:
  vip: {category: behavioral, purposes: [mail], owner: crm}
segments:
  - {id: buyers, rule: orders > 0}
  - {id: gardeners, rule: last_shelf == "garden"}
policy:
  retention: {technical: 30d}
"""
CATALOG = {"catalog.yaml": TEXT}

days = st.integers(0, 25) | st.floats(0, 25)
orders = st.fixed_dictionaries(
    {},
    optional={
        "amount": st.floats(-9e11, 9e11).map(lambda number: number + 0.0),
        "pieces": st.integers(-(2**63), 2**63 - 1),
        "shelf": st.sampled_from(["garden", "kitchen", "ü\u2028\x7f"]) | st.text(max_size=5),
        "gift": st.booleans(),
        "due": st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)),
    },
)
histories = st.lists(
    st.tuples(st.just("order"), days, orders) | st.tuples(st.just("visit"), days, st.just({})), max_size=30
)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def engine(tmp_path, clock):
    engine = open_engine(tmp_path, CATALOG, clock=clock)
    yield engine
    engine.close()


def run(awaitable):
    return asyncio.run(awaitable)


def record(engine, *events) -> None:
    occurrences = [
        Occurrence(ADA, name, from_datetime(NOON - dt.timedelta(days=ago)), properties)
        for name, ago, properties in events
    ]
    assert set(run(engine.events.record(CALLER, occurrences))) <= {Told.RECORDED}


def consent(engine, kind: RecordKind = RecordKind.GRANTED) -> None:
    def make(now_us: int) -> Record:
        return Record(kind=kind, purpose="mail", at_us=now_us, recorded_us=now_us, method="form")

    run(engine.profiles.upsert(CALLER, [Change(ADA, {"points": 5})]))
    run(engine.consents.record(CALLER, ADA, make))


def exported(engine) -> list[dict]:
    """Every document of the export."""
    found, following = [], ""
    while not found or following:
        document = run(engine.rights.export(CALLER, ADA, following))
        found.append(json.loads(document))
        following = found[-1]["following"]
    return found


def imported(engine, documents: list[dict]) -> None:
    for document in documents:
        run(engine.rights.restore(CALLER, ADA, json.dumps(document).encode()))


def small(engine, bytes_max: int) -> None:
    """Lets the documents of exports be small."""
    engine.rights._events = PortableEvents(engine.rights._events._histories, bytes_max)


def comparable(documents: list[dict]) -> list[dict]:
    """Without what an import does not bring back: the token, and what is computed anew."""
    anew = ("subject", "following", "sources", "lists", "membership_history")
    return [{name: value for name, value in one.items() if name not in anew} for one in documents]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(histories, st.integers(1, 6), st.sampled_from([100, 10_000]))
def test_an_export_comes_back_with_every_event_and_decision(engine, events, batches, bytes_max):
    run(engine.rights.erase(CALLER, ADA))
    small(engine, bytes_max)
    consent(engine)
    for batch in range(batches):
        record(engine, *events[batch::batches])
    outcomes = segments(engine)
    before = exported(engine)
    count = sum(len(named["recorded"]) for one in before for named in one["events"].values())
    assert count == len(events)
    run(engine.rights.erase(CALLER, ADA))
    imported(engine, before)
    assert comparable(exported(engine)) == comparable(before)
    assert segments(engine) == outcomes


def segments(engine) -> dict[str, object]:
    answer = run(engine.evaluator.evaluate(CALLER, Question(ADA, "mail")))
    return {result.segment: result.outcome for result in answer.results}


def test_an_export_tells_events_memberships_and_lists(engine, clock):
    consent(engine)
    record(engine, ("order", 2, {"due": NOON, "amount": 2.0}), ("order", 3, {"shelf": "garden"}))
    run(engine.refresher.refresh())
    upload(engine)
    clock.time = NOON + dt.timedelta(hours=1)
    consent(engine, RecordKind.WITHDRAWN)
    (found,) = exported(engine)
    assert found["events"] == {
        "order": {
            "recorded": [
                {"time": "2026-06-12T12:00:00Z", "properties": {"shelf": "garden"}},
                {
                    "time": "2026-06-13T12:00:00Z",
                    "properties": {"amount": 2.0, "due": "2026-06-15T12:00:00+00:00"},
                },
            ],
            "timestamps": ["due"],
        }
    }
    told = [(one["segment"], one["change"], one["reason"]) for one in found["membership_history"]]
    assert sorted(told[:2]) == [("buyers", "entered", "CATALOG"), ("gardeners", "entered", "CATALOG")]
    assert sorted(told[2:]) == [
        ("buyers", "left", "CONSENT_WITHDRAWN"),
        ("gardeners", "left", "CONSENT_WITHDRAWN"),
    ]
    assert found["lists"] == ["vip"]


def upload(engine) -> None:
    async def pieces():
        yield ["ada", "eve"]

    async def steps():
        return [step async for step in engine.lists.upload(CALLER, Upload("vip", "crm"), pieces())]

    run(steps())


def test_what_is_past_its_retention_is_not_exported(engine):
    record(engine, ("visit", 30, {}), ("visit", 29, {}))
    (found,) = exported(engine)
    assert len(found["events"]["visit"]["recorded"]) == 1


def test_a_long_history_goes_out_in_parts_of_a_size_and_comes_back(engine):
    count = 2 * CHUNK_ROWS + 100
    for start in range(0, count, 2_000):
        numbers = range(start, min(start + 2_000, count))
        record(engine, *(("order", 20 - n / count, {"pieces": n}) for n in numbers))
    small(engine, 100_000)
    before = exported(engine)
    assert len(before) > 4
    pieces = [one["properties"]["pieces"] for part in before for one in part["events"]["order"]["recorded"]]
    assert pieces == list(range(count))
    run(engine.rights.erase(CALLER, ADA))
    with pytest.raises(NotFound):
        imported(engine, before[1:])
    imported(engine, before[:2])
    for wrong in (before[1], before[3]):
        with pytest.raises(Conflict) as refused:
            imported(engine, [wrong])
        assert refused.value.reason == "IMPORT_OUT_OF_ORDER"
    imported(engine, before[2:])
    assert comparable(exported(engine)) == comparable(before)


def test_events_of_a_name_that_is_declared_no_more_go_out_and_come_back(engine):
    record(engine, ("order", 2, {"shelf": "garden"}))
    later = TEXT.split("events:")[0] + "events:\n  visit: {category: technical}\n"
    run(engine.catalogs.publish(CALLER, {"catalog.yaml": later}))
    (before,) = exported(engine)
    ((name, named),) = before["events"].items()
    assert name.startswith("undeclared:")
    assert named["recorded"][0]["properties"] == {"shelf": "garden"}
    run(engine.rights.erase(CALLER, ADA))
    imported(engine, [before])
    run(engine.catalogs.publish(CALLER, CATALOG))
    (after,) = exported(engine)
    assert after["events"]["order"]["recorded"] == named["recorded"]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ({"kanarienvogel": [{"shelf": "x"}]}, "EVENT_UNDECLARED"),
        ({"order": [{"shelf": 5}]}, "PROPERTY_INVALID"),
        ({"order": [{"shelf": ["kanarienvogel"]}]}, "EXPORT_MALFORMED"),
        ({"order": [{"due": "kanarienvogel"}]}, "EXPORT_MALFORMED"),
        ({"order": [{"pieces": 2**63}]}, "VALUE_TYPE_MISMATCH"),
    ],
)
def test_wrong_events_are_refused_and_nothing_is_stored(engine, events, reason):
    consent(engine)
    (document,) = exported(engine)
    run(engine.rights.erase(CALLER, ADA))
    document["events"] = {
        name: {
            "recorded": [{"time": "2026-06-12T12:00:00Z", "properties": one} for one in given],
            "timestamps": ["due"],
        }
        for name, given in events.items()
    }
    with pytest.raises(InvalidInput) as refused:
        imported(engine, [document])
    assert refused.value.reason == reason
    assert "kanarienvogel" not in str(refused.value)
    with pytest.raises(NotFound):
        exported(engine)


@pytest.mark.parametrize("following", ["x", "1.00.0.0", f"1.{'0' * 16}.0.0"])
def test_a_place_that_no_export_gave_is_refused(engine, following):
    record(engine, ("visit", 1, {}))
    with pytest.raises(InvalidInput) as refused:
        run(engine.rights.export(CALLER, ADA, following))
    assert refused.value.reason == "EXPORT_POSITION_UNKNOWN"


def test_an_identified_subject_shows_no_events(engine):
    record(engine, ("visit", 1, {}))
    token = next(entry.subject for entry in entries(engine) if entry.kind is Kind.EVENTS_RECORDED)
    asked = run(engine.rights.ask_identification(CALLER, token, "A court order names this entry."))
    other = Caller("other", frozenset(Role), frozenset({"*"}))
    document = json.loads(run(engine.rights.approve_identification(other, asked)))
    assert document["events"] == {}
