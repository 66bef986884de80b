"""Erasing and restricting a subject that did things, was in segments and is named in lists."""

from __future__ import annotations

import asyncio
import datetime as dt
from contextlib import closing

import pytest
from servers import NOON, Clock, entries, open_engine
from stores import postgres_server, postgres_url, store_url

from segserver.audit.entry import Kind
from segserver.engine.corridor import Question
from segserver.engine.events import Occurrence, Told
from segserver.engine.lists import Upload
from segserver.engine.profiles import Change
from segserver.errors import Conflict
from segserver.events.history import CHUNK_ROWS
from segserver.model import Caller, Role, SubjectId
from segserver.rules.times import from_datetime

__all__ = ["postgres_server", "postgres_url", "store_url"]

CALLER = Caller("shop", frozenset(Role), frozenset({"*"}))
ADA, MAIL = SubjectId("customer", "kanarienvogel"), SubjectId("email", "kanarienvogel@example.org")
EVE = SubjectId("customer", "eve")
CATALOG = {
    "catalog.yaml": """
purposes:
  service: {legal_basis: contract, categories: [behavioral], memberships: true}
attributes:
  points: {type: int, category: behavioral}
events:
  order:
    category: behavioral
    properties: {note: {type: string, category: behavioral}}
computed:
  orders: {event: order, aggregate: count, window: all, category: behavioral}
lists:
  vip: {category: behavioral, purposes: [service], owner: crm}
segments:
  - {id: buyers, rule: orders > 0}
  - {id: vips, rule: 'in_list("vip")'}
"""
}
TABLES = {
    "event_parts": "subject_key",
    "event_ids": "subject_key",
    "memberships": "subject_key",
    "membership_changes": "subject_key",
    "membership_due": "subject_key",
    "list_members": "member",
    "aliases": "alias_key",
    "subjects": "subject_key",
}
MARK = "kanarienvogel"
MARK_BYTES = 16


def run(awaitable):
    return asyncio.run(awaitable)


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(tmp_path, CATALOG, clock=Clock())
    yield engine
    engine.close()


def record(engine, subject: SubjectId, count: int, first: int = 0) -> None:
    start = from_datetime(NOON - dt.timedelta(days=300))
    occurrences = [
        Occurrence(subject, "order", start + number, {"note": f"kanarienvogel {number}"}, f"{MARK}-{number}")
        for number in range(first, first + count)
    ]
    assert set(run(engine.events.record(CALLER, occurrences))) == {Told.RECORDED}


def upload(engine, *subjects: SubjectId) -> None:
    async def pieces():
        yield [subject.id for subject in subjects]

    async def steps():
        return [step async for step in engine.lists.upload(CALLER, Upload("vip", "crm"), pieces())]

    run(steps())


def fill(engine) -> None:
    """Two subjects, each of whom did much, with an alias for one, and both on a list."""
    for subject in (ADA, EVE):
        run(engine.profiles.upsert(CALLER, [Change(subject, {"points": 1})]))
    run(engine.rights.add_alias(CALLER, ADA, MAIL))
    for first in range(0, 2 * CHUNK_ROWS + 200, 1_500):
        record(engine, MAIL, 1_500, first)
    record(engine, EVE, 3)
    upload(engine, ADA, EVE)
    run(engine.refresher.refresh())
    run(engine.watcher.members(CALLER, "service", "vips", 0, 10))
    run(engine.profiles.upsert(CALLER, [Change(ADA, {"points": 2})]))  # it is to be looked at again


def rows(engine) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the tables that keep something under a subject key."""
    with closing(engine.store.connect()) as connection:
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}


def key_of(engine, subject: SubjectId) -> bytes:
    return engine.rights._pseudonyms.subject_key(subject)


def of_ada(engine) -> dict[str, list[tuple[object, ...]]]:
    keys = {key_of(engine, ADA), key_of(engine, MAIL)}
    return {
        table: [row for row in found if any(isinstance(cell, bytes) and cell in keys for cell in row)]
        for table, found in rows(engine).items()
    }


def members(engine, segment: str) -> int:
    found, _ = run(engine.watcher.members(CALLER, "service", segment, 0, 10))
    return len(found)


def test_nothing_of_an_erased_subject_is_left(tmp_path, store_url):
    engine = open_engine(tmp_path, CATALOG, clock=Clock(), store=store_url)
    try:
        fill(engine)
        before = rows(engine)
        assert all(of_ada(engine).values())
        receipt = run(engine.rights.erase(CALLER, MAIL)).receipt
        assert receipt.removed == {
            "aliases": 1,
            "consent records": 0,
            "events": 9_000,
            "lists": 1,
            "memberships": 2,
            "profiles": 1,
        }
        assert not any(of_ada(engine).values())
        others = {table: len(found) - len(rows(engine)[table]) for table, found in before.items()}
        assert others["event_ids"] == 9_000
        assert members(engine, "vips") == members(engine, "buyers") == 1
        entry = [entry for entry in entries(engine) if entry.kind is Kind.SUBJECT_ERASED][-1]
        assert (entry.details["events"], entry.details["lists"]) == ("9000", "1")
    finally:
        engine.close()


def test_no_byte_of_its_events_and_keys_is_left_in_a_file(tmp_path):
    engine = open_engine(tmp_path, CATALOG, clock=Clock(), store="")
    try:
        fill(engine)
        marks = {key_of(engine, ADA), key_of(engine, MAIL)}
        for table in ("event_parts", "event_ids", "subjects"):
            for row in of_ada(engine)[table][:: 97 if table == "event_ids" else 1]:
                cells = [bytes(cell) for cell in row if isinstance(cell, bytes) and len(cell) >= MARK_BYTES]
                marks |= {cell[at : at + MARK_BYTES] for cell in cells for at in (0, len(cell) - MARK_BYTES)}
        found = written(tmp_path)
        assert sum(mark in found for mark in marks) > 0.9 * len(marks)  # some lie across two pages
        assert run(engine.rights.erase(CALLER, ADA)).log_emptied
        found = written(tmp_path)
        assert [mark for mark in marks if mark in found] == []
        assert MARK.encode() not in found
    finally:
        engine.close()


def written(folder) -> bytes:
    """Every byte in files, free pages and write-ahead log included."""
    return b"".join(path.read_bytes() for path in sorted((folder / "data").rglob("*")) if path.is_file())


def test_a_restricted_subject_is_recorded_of_and_in_no_segment(engine):
    fill(engine)
    assert members(engine, "buyers") == 2
    run(engine.rights.restrict(CALLER, ADA, lifted=False, reason="contested"))
    assert members(engine, "buyers") == members(engine, "vips") == 1
    record(engine, ADA, 5, first=20_000)
    run(engine.refresher.refresh())
    assert members(engine, "buyers") == 1
    answer = run(engine.evaluator.evaluate(CALLER, Question(ADA, "service")))
    assert {result.outcome.name for result in answer.results} == {"WITHHELD"}
    left = [row for row in of_ada(engine)["membership_changes"] if row[-1] == "RESTRICTED"]
    assert len(left) == 2
    run(engine.rights.restrict(CALLER, ADA, lifted=True, reason="checked"))
    run(engine.refresher.refresh())
    assert members(engine, "buyers") == 2
    assert sum(row[3] for row in of_ada(engine)["event_parts"]) == 9_005


def test_an_id_of_which_something_is_stored_is_no_alias(engine):
    run(engine.profiles.upsert(CALLER, [Change(EVE, {"points": 1})]))
    record(engine, ADA, 2)
    run(engine.refresher.refresh())
    with pytest.raises(Conflict, match="export it and erase it") as refused:
        run(engine.rights.add_alias(CALLER, EVE, ADA))
    assert refused.value.reason == "ALIAS_TAKEN"
    assert members(engine, "buyers") == 1
    assert sum(row[3] for row in of_ada(engine)["event_parts"]) == 2


def test_a_list_that_names_an_alias_names_its_subject(engine):
    run(engine.profiles.upsert(CALLER, [Change(EVE, {"points": 1})]))
    upload(engine, ADA)
    run(engine.refresher.refresh())
    assert members(engine, "vips") == 0
    run(engine.rights.add_alias(CALLER, EVE, ADA))
    run(engine.refresher.refresh())
    assert members(engine, "vips") == 1
    assert run(engine.rights.erase(CALLER, EVE)).receipt.removed["lists"] == 1
    assert not any(of_ada(engine).values())
