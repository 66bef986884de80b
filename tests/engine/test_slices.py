"""A large batch holds nobody up: between its slices, everybody else has a turn."""

from __future__ import annotations

import asyncio
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import Clock, open_engine

from segserver.engine.corridor import Question
from segserver.engine.evaluate import Evaluator
from segserver.engine.events import Occurrence
from segserver.engine.profiles import Change
from segserver.engine.slices import SLICE, SLICE_SUBJECTS, sliced
from segserver.model import Caller, SubjectId
from segserver.privacy.pseudonyms import Pseudonyms

CATALOG = """
purposes:
  care: {legal_basis: contract, categories: [demographic, behavioral]}
attributes:
  age: {type: int, category: demographic}
events:
  order: {category: behavioral}
segments:
  - {id: people/adults, rule: age >= 18}
"""
CALLER = Caller("shop", frozenset(), frozenset({"*"}))
SUBJECTS = [SubjectId("customer", str(number)) for number in range(3 * SLICE + 5)]


@given(st.integers(0, 3 * SLICE))
def test_every_item_comes_once_and_in_order(size):
    async def collected():
        return [item async for item in sliced(range(size))]

    assert asyncio.run(collected()) == list(range(size))


BATCHES = {
    "evaluate": lambda engine: engine.evaluator.evaluate_batch(
        CALLER, "care", (), [Question(subject, "care") for subject in SUBJECTS]
    ),
    "write": lambda engine: engine.profiles.upsert(
        CALLER, [Change(subject, {"age": 40}) for subject in SUBJECTS]
    ),
    "record": lambda engine: engine.events.record(
        CALLER, [Occurrence(subject, "order", Clock()(), {}) for subject in SUBJECTS]
    ),
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
async def test_others_have_turns_while_a_batch_is_worked_on(tmp_path, monkeypatch, batch):
    happened = []

    def noted(original):
        def note(*arguments):
            happened.append("work")
            return original(*arguments)

        return note

    monkeypatch.setattr(Pseudonyms, "subject_key", noted(Pseudonyms.subject_key))
    monkeypatch.setattr(Evaluator, "_answer", noted(Evaluator._answer))
    engine = open_engine(tmp_path, {"catalog.yaml": CATALOG})

    async def other():
        while True:
            happened.append("turn")
            await asyncio.sleep(0)

    turns = asyncio.create_task(other())
    try:
        assert len(await batch(engine)) == len(SUBJECTS)
    finally:
        turns.cancel()
        engine.close()
    stretches = [len(list(same)) for what, same in groupby(happened) if what == "work"]
    assert sum(stretches) >= len(SUBJECTS)
    assert max(stretches) <= SLICE + SLICE_SUBJECTS
