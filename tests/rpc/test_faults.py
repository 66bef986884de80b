"""What a caller sees while something is wrong with the clock, the disk or the files."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import threading
import time

import pytest
from servers import NOON, Clock, entries, open_engine, running

from segserver.audit.entry import Kind
from segserver.audit.verify import verify
from segserver.errors import DeadlineExceeded, IntegrityError, Unavailable
from segserver.model import Outcome
from segserver.storage.writer import Writer

CATALOG = """
purposes:
  care: {legal_basis: contract, categories: [demographic, location]}
  marketing: {legal_basis: consent, categories: [demographic, location]}
attributes:
  age: {type: int, category: demographic}
  city: {type: string, category: location}
segments:
  - {id: people/adults, rule: age >= 18}
  - {id: people/berliners, rule: city == "Berlin"}
policy:
  retention: {location: 30d}
"""
DOCUMENTS = {"catalog.yaml": CATALOG}


async def outcomes(client, purpose):
    return {result.segment: result.outcome for result in (await client.evaluate("jo", purpose)).results}


@pytest.mark.parametrize("step", [dt.timedelta(hours=-1), dt.timedelta(days=-400), dt.timedelta(hours=1)])
async def test_a_clock_that_steps_costs_no_answer_and_no_proof(tmp_path, step):
    clock = Clock()
    engine = open_engine(tmp_path, DOCUMENTS, clock=clock)
    async with running(engine, clock) as server:
        client = server.client()
        await client.upsert_profile("jo", {"age": 44, "city": "Berlin"})
        await client.record_consent("jo", "marketing", notice_version="1", method="form")
        both = {"people/adults": Outcome.MEMBER, "people/berliners": Outcome.MEMBER}
        assert await outcomes(client, "marketing") == both
        clock.time = NOON + step
        assert await outcomes(client, "care") == both
        await client.upsert_profile("jo", {"age": 45})
        await client.withdraw_consent("jo", "marketing")
        assert set((await outcomes(client, "marketing")).values()) == {Outcome.WITHHELD}
        clock.time = NOON
        assert set((await outcomes(client, "marketing")).values()) == {Outcome.WITHHELD}, "withdrawn stays"
        clock.time = max(NOON, NOON + step) + dt.timedelta(minutes=1)
        await client.record_consent("jo", "marketing", notice_version="1", method="form")
        assert await outcomes(client, "marketing") == both
        checkpoint = await client.audit_checkpoint()
        assert checkpoint.note
        assert verify(engine.store.reader, [engine.audit.key]).size == len(entries(engine))


async def test_what_expired_by_a_clock_too_fast_is_visible_again_until_it_is_swept(tmp_path):
    clock = Clock()
    engine = open_engine(tmp_path, DOCUMENTS, clock=clock)
    async with running(engine, clock) as server:
        client = server.client()
        await client.upsert_profile("jo", {"age": 44, "city": "Berlin"})
        clock.time = NOON + dt.timedelta(days=31)
        assert (await outcomes(client, "care"))["people/berliners"] is Outcome.UNKNOWN
        clock.time = NOON
        assert (await outcomes(client, "care"))["people/berliners"] is Outcome.MEMBER


async def test_on_a_slow_disk_calls_wait_and_one_that_can_not_wait_is_told(tmp_path, monkeypatch):
    delay_s, slow = 0.15, threading.Event()
    commit = Writer._commit

    def delayed(self, group):
        if slow.is_set():
            time.sleep(delay_s)  # the disk
        commit(self, group)

    monkeypatch.setattr(Writer, "_commit", delayed)
    engine = open_engine(tmp_path, DOCUMENTS)
    async with running(engine) as server:
        client, hurried = server.client(), server.client(timeout_s=0.03, retries=0)
        await client.evaluate("jo", "care")
        await hurried.evaluate("jo", "care")
        slow.set()
        begin = time.monotonic()
        answers = await asyncio.gather(*(client.evaluate(f"s{number}", "care") for number in range(50)))
        assert time.monotonic() - begin >= delay_s, "no answer left before it was durable"
        with pytest.raises(DeadlineExceeded):
            await hurried.evaluate("jo", "care")
        slow.clear()
        await client.evaluate("jo", "care")  # behind what nobody waits for any more
        (worker,) = await client.status()
        assert worker.value("segserver_write_queue_units") == 0
        logged = {entry.request_id for entry in entries(engine) if entry.kind is Kind.EVALUATION}
    assert {answer.evaluation_id for answer in answers} <= logged


@pytest.mark.parametrize("share", [0.001, 0.3, 0.7])
def test_a_database_that_is_cut_off_does_not_start(tmp_path, share):
    engine = open_engine(tmp_path, DOCUMENTS)
    path = engine.config.database_path
    engine.close()
    size = int(path.stat().st_size * share)
    os.truncate(path, size)
    with pytest.raises((Unavailable, IntegrityError)):
        open_engine(tmp_path, DOCUMENTS)
    assert path.stat().st_size == size, "what is left is left as it is"
