"""The catalog of everyday marketing on the sample population: every stage and every segment occurs."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from pathlib import Path

from servers import Clock, open_engine, running

from segserver.catalog import read_directory
from segserver.cli._population import population, subject
from segserver.cli._population_events import events, stage
from segserver.client import EventDefinition
from segserver.model import Caller, Outcome, Role
from segserver.privacy.records import Record, RecordKind
from segserver.strategies.manager import load

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "catalog"
NOW = dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC)
SIZE, SEED = 500, 1
DEV = Caller("dev", frozenset(Role), frozenset({"*"}))

FIFTEEN = {
    "age": "age/midlife",
    "gender": "gender/women",
    "occupation": "occupation/professionals",
    "marital status": "household/couples",
    "location": "location/dach",
    "income": "income/high",
    "cart abandonment": "cart/abandoned",
    "journey stage": "stage/growing",
    "device type": "device/mobile",
    "preferred language": "language/german",
    "most viewed products": "products/garden",
    "interests": "interests/outdoors",
    "values": "values/sustainable",
    "lifestyle": "lifestyle/family-centred",
    "pain points": "pain-points/price",
}


async def test_every_stage_and_every_segment_occurs_and_the_fit_is_what_they_give(tmp_path):
    clock = Clock(NOW)
    documents = read_directory(EXAMPLE)
    numbers = range(1, SIZE + 1)
    async with running(open_engine(tmp_path, documents, load(), clock), clock) as server:
        client = server.client(timeout_s=60.0)
        types = {attribute.name: attribute.type async for attribute in client.attributes()}
        await client.upsert_profiles(list(population(SIZE, SEED, types)))
        declared = [definition async for definition in client.event_definitions()]
        recorded = await client.record_events(list(events(SIZE, SEED, NOW, declared)))
        fit = await client.fit_strategy("value", "analytics", NOW)
        await asyncio.gather(*(server.engine.consents.record(DEV, subject(n), granted) for n in numbers))
        answers = await client.evaluate_batch([subject(number) for number in numbers], "marketing")
    assert recorded.rejected == {}
    assert fit.document.text == documents["fit-value.yaml"]

    members = Counter(segment for answer in answers for segment in answer.members)
    assert [name for name in FIFTEEN.values() if not 0 < members[name] < SIZE] == []
    grown = [
        (number, answer)
        for number, answer in zip(numbers, answers, strict=True)
        if any(result.outcome is not Outcome.WITHHELD for result in answer.results)
    ]
    assert len(grown) > SIZE * 0.8  # the others are children, who are not profiled
    for number, answer in grown:
        stages = [name for name in answer.members if name.startswith("journey/")]
        expected = [] if stage(number) == "stranger" else [f"journey/{stage(number)}"]
        assert [name for name in stages if name != "journey/support-waiting"] == expected, number
    assert 0 < members["journey/support-waiting"] < SIZE
    tiers = Counter({name: size for name, size in members.items() if name.startswith("value/tier-")})
    assert (len(tiers), sum(tiers.values())) == (4, len(grown))
    cells = {name for name in members if name.startswith("value/rfm-")}
    assert cells >= {"value/rfm-champions", "value/rfm-loyal", "value/rfm-new", "value/rfm-hibernating"}


def granted(now_us):
    return Record(
        kind=RecordKind.GRANTED,
        purpose="marketing",
        at_us=now_us,
        recorded_us=now_us,
        notice_version="1",
        method="web-form",
        actor="test",
    )


def test_a_seed_makes_the_same_events_and_another_one_others():
    declared = [EventDefinition("order", "behavioral", "", (), (), ())]
    first, again, other = (list(events(50, seed, NOW, declared)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert {(event.name, len(event.properties)) for event in first} == {("order", 0)}
    assert all(event.time < NOW for event in first)
    assert len({event.id for event in first}) == len(first)
