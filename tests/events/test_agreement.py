"""Random events, definitions and moments: what is computed online, from rollups and from a plain loop."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import polars as pl
from events_generators import EVENTS, ZONES, Case, cases, happenings, nows
from events_reference import Happened, Reference
from hypothesis import given, settings
from hypothesis import strategies as st

from segserver.events.bulk import bulk
from segserver.events.history import Chunk, Head, History, Part, decode, encode, merge, split
from segserver.events.program import ComputedProgram
from segserver.rules.polars_column import dtype
from segserver.rules.times import from_datetime

HOUR = 3_600_000_000


def program_of(found: Sequence[Case]) -> tuple[ComputedProgram, dict[str, Case]]:
    named = {f"a{index}": case for index, case in enumerate(found)}
    return ComputedProgram({name: case.definition for name, case in named.items()}, EVENTS), named


def chunks_of(events: Sequence[Happened]) -> dict[str, Chunk]:
    return {
        name: Chunk.of((e.time, e.number, e.properties) for e in events if e.name == name) for name in EVENTS
    }


def whole(events: Sequence[Happened]) -> dict[str, History]:
    return {name: History.of(chunk) for name, chunk in chunks_of(events).items()}


def rolled_up(
    events: Sequence[Happened], program: ComputedProgram, rows: int, late: int
) -> dict[str, History]:
    """Chunks of a few events, each with a head that was made, encoded and read again. The first ``late``
    events recorded are in chunks of their own, which overlap with the others."""
    histories = {}
    for name in EVENTS:
        parts = []
        chunks = [chunks_of(part)[name] for part in (events[:late], events[late:])]
        for piece in [piece for chunk in chunks for piece in split(chunk, rows)]:
            blob = encode(piece)
            head = Head.decode(program.summarize(name, decode(blob)).encode())
            parts.append(Part(head, lambda blob=blob: decode(blob)))
        histories[name] = History(parts[::-1])
    return histories


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-15)
    return type(one) is type(other) and one == other


floors = st.fixed_dictionaries({}, optional={name: st.integers(0, 800 * 24) for name in EVENTS})
"""Hours until an event of each name expires."""


def expired(retention: Mapping[str, int], now: int) -> dict[str, int]:
    return {name: now - hours * HOUR for name, hours in retention.items()}


@given(
    data=st.data(),
    events=happenings(),
    found=st.lists(cases(), min_size=1, max_size=8),
    rows=st.integers(1, 4),
)
@settings(max_examples=80)
def test_rollups_and_a_plain_loop_agree(
    data: st.DataObject, events: list[Happened], found: list[Case], rows: int
) -> None:
    program, named = program_of(found)
    now = data.draw(nows(events))
    zone = data.draw(st.sampled_from([None, *ZONES]))
    cut = expired(data.draw(floors), now)
    reference = Reference(events, now, zone, cut)
    expected = {n: reference.value(c.definition, c.where, c.then_where) for n, c in named.items()}
    online = program.evaluate(named, whole(events), now, zone=zone, floors=cut)
    for name, value in expected.items():
        assert same(online.get(name), value), (named[name].definition, online.get(name), value)
    late = data.draw(st.integers(0, 3))
    for made_for in (program, ComputedProgram({}, EVENTS)):
        histories = rolled_up(events, made_for, rows, late)
        assert program.evaluate(named, histories, now, zone=zone, floors=cut) == online


@given(
    data=st.data(),
    everybody=st.lists(happenings(), min_size=1, max_size=4),
    found=st.lists(cases(), min_size=1, max_size=8),
)
@settings(max_examples=80)
def test_bulk_gives_what_each_subject_has_online(
    data: st.DataObject, everybody: list[list[Happened]], found: list[Case]
) -> None:
    program, named = program_of(found)
    now = data.draw(nows([e for events in everybody for e in events]))
    zones = data.draw(
        st.lists(
            st.sampled_from([None, "No/Where", *ZONES]), min_size=len(everybody), max_size=len(everybody)
        )
    )
    cut = expired(data.draw(floors), now)
    subjects = pl.DataFrame(
        {"subject": [f"s{i}" for i in range(len(everybody))], "zone": zones},
        schema={"subject": pl.String, "zone": pl.String},
    )
    frames = {name: frame_of(name, everybody, data.draw(st.randoms())) for name in EVENTS}
    answers = bulk(program, named, frames, subjects, now, cut)
    assert {n: dtype(t) for n, t in program.types.items()} == dict(answers.drop("subject").schema)
    for events, zone, row in zip(everybody, zones, answers.iter_rows(named=True), strict=True):
        online = program.evaluate(named, whole(events), now, zone=zone, floors=cut)
        for name, case in named.items():
            value = None if row[name] is None else in_rule_form(row[name])
            assert value == online.get(name), (case.definition, value, online.get(name))
            assert type(value) is type(online.get(name))


def frame_of(name: str, everybody: Sequence[Sequence[Happened]], random: Random) -> pl.DataFrame:
    rows = [
        {"subject": f"s{index}", "time": e.time, "number": e.number, **e.properties}
        for index, events in enumerate(everybody)
        for e in events
        if e.name == name
    ]
    random.shuffle(rows)
    schema = {"subject": pl.String(), "time": dtype("timestamp"), "number": pl.Int64()}
    schema |= {name: dtype(given.type) for name, given in EVENTS[name].properties.items()}
    return pl.DataFrame(rows, schema=schema)


def in_rule_form(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return from_datetime(value)
    return tuple(value) if isinstance(value, list) else value


@given(data=st.data(), events=happenings(), found=st.lists(cases(), min_size=1, max_size=4))
@settings(max_examples=80)
def test_values_stay_until_the_next_change(
    data: st.DataObject, events: list[Happened], found: list[Case]
) -> None:
    program, named = program_of(found)
    now = data.draw(nows(events))
    zone = data.draw(st.sampled_from([None, *ZONES]))
    retention = data.draw(floors)
    steady = sorted(named.keys() - program.continuous(named))
    histories = whole(events)
    change = program.next_change(steady, histories, now, zone=zone, floors=expired(retention, now))
    before = program.evaluate(steady, histories, now, zone=zone, floors=expired(retention, now))
    latest = now + 800 * 24 * HOUR if change is None else change - 1
    assert change is None or change > now
    times = {latest, *(t for e in events for t in (e.time, e.time - 1) if now < t <= latest)}
    if latest > now:
        times |= {data.draw(st.integers(now + 1, latest))}
    for time in sorted(times):
        if time > now:
            after = program.evaluate(steady, histories, time, zone=zone, floors=expired(retention, time))
            assert after == before, (time, change)


@given(events=happenings(), rows=st.integers(1, 5))
@settings(max_examples=30)
def test_chunks_are_merged_as_they_were_split(events: list[Happened], rows: int) -> None:
    for chunk in chunks_of(events).values():
        pieces = split(chunk, rows)
        assert all(len(piece) <= rows for piece in pieces)
        if len(chunk):
            again = decode(encode(merge(pieces[::-1])))
            assert (again.times, again.numbers) == (chunk.times, chunk.numbers)
            given = {n: [*v] for n, v in chunk.columns.items()}
            assert {name: [*values] for name, values in again.columns.items()} == given
