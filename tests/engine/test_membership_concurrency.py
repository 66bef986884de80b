"""A withdrawal that returned is followed by nobody who enters, while others refresh without pause."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading

from servers import Clock, open_engine, plugins

from segserver.engine import build
from segserver.engine.profiles import Change
from segserver.model import Caller, Role, SubjectId
from segserver.privacy.records import Record, RecordKind
from segserver.storage.memberships import ENTERED

CALLER = Caller("shop", frozenset(Role), frozenset({"*"}))
ADA = SubjectId("customer", "ada")
ROUNDS = 8
WAIT_S = 30.0
CATALOG = {
    "catalog.yaml": """
purposes:
  mail: {legal_basis: consent, categories: [behavioral], memberships: true, profiling: false}
attributes:
  vip: {type: bool, category: behavioral}
segments:
  - {id: vips, rule: vip}
"""
}


class Refreshing(threading.Thread):
    """Refreshes on an engine of its own, as another process would, until it is stopped. When it has evaluated
    somebody and before it writes what it found, it waits to be let on.
    """

    def __init__(self, engine) -> None:
        super().__init__()
        self.engine = engine
        self.evaluated, self.going_on, self.stopping = (threading.Event() for _ in range(3))
        self.written = threading.Event()

    def run(self) -> None:
        refresher = self.engine.refresher
        evaluate = refresher._evaluate

        async def held(*arguments):
            found = await evaluate(*arguments)
            self.evaluated.set()
            await asyncio.to_thread(self.going_on.wait)
            return found

        async def refresh() -> None:
            while not self.stopping.is_set():
                done = await refresher.refresh()
                if done.subjects or done.failed or self.going_on.is_set():
                    self.written.set()

        refresher._evaluate = held
        asyncio.run(refresh())

    def once(self, meanwhile) -> None:
        """Does something between an evaluation and what follows from it, and waits until that is over."""
        assert self.evaluated.wait(WAIT_S)
        meanwhile()
        self.written.clear()
        self.going_on.set()
        assert self.written.wait(WAIT_S)


def decide(engine, clock: Clock, kind: RecordKind) -> None:
    """Records a decision, a second after the one before: of two at one moment the no counts."""
    clock.time += dt.timedelta(seconds=1)

    def make(now_us: int) -> Record:
        return Record(kind=kind, purpose="mail", at_us=now_us, recorded_us=now_us, method="form")

    asyncio.run(engine.consents.record(CALLER, ADA, make))


def test_nobody_enters_after_a_withdrawal_returned(tmp_path):
    clock = Clock()
    engine = open_engine(tmp_path, CATALOG, clock=clock)
    other = build(engine.config, installed=plugins(), now_us=clock, publish=False)
    thread = Refreshing(other)

    def entered() -> int:
        count = "SELECT COUNT(*) FROM membership_changes WHERE change = ?"
        return engine.store.reader.execute(count, (ENTERED,)).fetchone()[0]

    asyncio.run(engine.profiles.upsert(CALLER, [Change(ADA, {"vip": True})]))
    asyncio.run(engine.refresher.refresh())
    try:
        thread.start()
        for _ in range(ROUNDS):
            before = entered()
            thread.evaluated.clear()
            thread.going_on.clear()
            decide(engine, clock, RecordKind.GRANTED)
            thread.once(lambda: decide(engine, clock, RecordKind.WITHDRAWN))
            assert entered() == before
    finally:
        thread.stopping.set()
        thread.going_on.set()
        thread.join()
        other.close()
    before = entered()
    decide(engine, clock, RecordKind.GRANTED)
    asyncio.run(engine.refresher.refresh())
    assert entered() == before + 1
    engine.close()
