"""A withdrawal that returned is followed by nobody who enters, while others refresh without pause."""

from __future__ import annotations

import asyncio
import threading

from servers import Clock, open_engine, plugins

from segserver.engine import build
from segserver.engine.profiles import Change
from segserver.model import Caller, Role, SubjectId
from segserver.privacy.records import Record, RecordKind
from segserver.storage.memberships import ENTERED

CALLER = Caller("shop", frozenset(Role), frozenset({"*"}))
ADA = SubjectId("customer", "ada")
ROUNDS = 40
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
    """Refreshes on an engine of its own, as another process would, until it is stopped."""

    def __init__(self, engine) -> None:
        super().__init__()
        self.engine = engine
        self.turns = 0
        self.entered = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        async def refresh() -> None:
            while not self.stopping.is_set():
                self.entered += (await self.engine.refresher.refresh()).entered
                self.turns += 1

        asyncio.run(refresh())


def decide(engine, kind: RecordKind) -> None:
    def make(now_us: int) -> Record:
        return Record(kind=kind, purpose="mail", at_us=now_us, recorded_us=now_us, method="form")

    asyncio.run(engine.consents.record(CALLER, ADA, make))


def test_nobody_enters_after_a_withdrawal_returned(tmp_path):
    clock = Clock()
    engine = open_engine(tmp_path, CATALOG, clock=clock)
    others = [build(engine.config, installed=plugins(), now_us=clock, publish=False) for _ in range(2)]
    threads = [Refreshing(other) for other in others]
    asyncio.run(engine.profiles.upsert(CALLER, [Change(ADA, {"vip": True})]))

    def last() -> int:
        return engine.store.reader.execute("SELECT last FROM membership_counter").fetchone()[0]

    silent: list[tuple[int, int]] = []
    try:
        for thread in threads:
            thread.start()
        for turn in range(ROUNDS):
            decide(engine, RecordKind.GRANTED)
            turns = turns_of(threads)
            wait_for(lambda turns=turns, few=turn % 3: turns_of(threads)[0] >= turns[0] + few)
            decide(engine, RecordKind.WITHDRAWN)
            begin, turns = last() if turn else 0, turns_of(threads)
            wait_for(
                lambda turns=turns: all(a > b + 1 for a, b in zip(turns_of(threads), turns, strict=True))
            )
            silent.append((begin, last()))
    finally:
        for thread in threads:
            thread.stopping.set()
        for thread in threads:
            thread.join()
    entered = [
        row[0]
        for row in engine.store.reader.execute(
            "SELECT sequence FROM membership_changes WHERE change = ?", (ENTERED,)
        )
    ]
    assert sum(thread.entered for thread in threads) == len(entered) > 0
    assert [n for n in entered for begin, end in silent[1:] if begin < n <= end] == []
    for one in (*others, engine):
        one.close()


def turns_of(threads) -> list[int]:
    return [thread.turns for thread in threads]


def wait_for(holds) -> None:
    """Waits until it holds; the suite's time limit ends what never does."""
    gate = threading.Event()
    while not holds():
        gate.wait(0.001)
