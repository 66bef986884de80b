"""The events of subjects in a real store: in whatever order and batches they come, none is lost or moved."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import NOON, open_engine

from segserver.engine.events import Occurrence, Told
from segserver.events.definitions import ComputedAttribute
from segserver.events.program import ComputedProgram
from segserver.model import Caller, Role, SubjectId
from segserver.rules.times import from_datetime

CALLER = Caller("shop", frozenset(Role), frozenset({"*"}))
MINUTE_US = 60_000_000
ROWS = 8
"""Of a full chunk here, so that parts are merged, closed and split all the time."""

CATALOG = """
purposes:
  service: {legal_basis: contract, categories: [behavioral]}
events:
  order: {category: behavioral, properties: {amount: {type: int, category: behavioral}}}
computed:
  spent: {event: order, aggregate: sum, of: amount, window: 60m, category: behavioral}
segments:
  - {id: spender, rule: spent > 0}
"""
SPENT = ComputedAttribute("spent", "order", "sum", "60m", category="behavioral", of="amount")
LARGEST = ComputedAttribute("largest", "order", "maximum", "all", category="behavioral", of="amount")

minutes = st.integers(0, 120)
batches = st.lists(
    st.lists(minutes, min_size=1, max_size=40) | st.lists(minutes, min_size=1, max_size=2),
    min_size=1,
    max_size=25,
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segserver.engine.histories.CHUNK_ROWS", ROWS)
        patch.setattr("segserver.engine.histories.MERGED_PARTS", 3)
        engine = open_engine(tmp_path_factory.mktemp("store"), {"catalog.yaml": CATALOG})
        yield engine
        engine.close()


@pytest.fixture(scope="module")
def subjects() -> Iterator[SubjectId]:
    return (SubjectId("customer", f"customer-{number}") for number in range(1_000_000))


@pytest.fixture(scope="module")
def changed(engine) -> ComputedProgram:
    """What a catalog asks for that came later: closed parts lack the partial results of one attribute."""
    events = engine.catalogs.serving.catalog.behavior.program.events
    return ComputedProgram({"spent": SPENT, "largest": LARGEST}, events)


def stored(engine, program: ComputedProgram, subject: SubjectId):
    """Every event of a subject as (time, amount), in order, and the values of computed attributes."""

    def read(connection):
        opened = engine.events._keeper.require(connection, engine.events._pseudonyms.subject_key(subject))
        history, parts = engine.events._histories.read(connection, opened, "order")
        values = program.evaluate(program.types, {"order": history}, from_datetime(NOON))
        learned = {parts[index]: head for index, head in history.fresh.items()}
        events = [
            event
            for piece in history.pieces
            for event in zip(piece.chunk().times, piece.chunk().columns["amount"], strict=True)
        ]
        return opened, events, values, learned, len(parts)

    return asyncio.run(engine.store.reads.read(read))


@settings(max_examples=20)
@given(batches=batches, looks=st.sets(st.integers(0, 24), max_size=4))
def test_what_is_stored_is_what_was_recorded(engine, changed, subjects, batches, looks):
    """Looks in between keep what they learned of closed parts."""
    subject, now_us = next(subjects), from_datetime(NOON)
    naive: list[tuple[int, int]] = []
    for number, batch in enumerate(batches):
        fresh = [(now_us - ago * MINUTE_US, len(naive) + place) for place, ago in enumerate(batch)]
        naive += fresh
        happened = [Occurrence(subject, "order", at_us, {"amount": amount}) for at_us, amount in fresh]
        assert set(asyncio.run(engine.events.record(CALLER, happened))) == {Told.RECORDED}
        if number not in looks and number + 1 < len(batches):
            continue
        opened, events, values, learned, parts = stored(engine, changed, subject)
        assert events == sorted(naive)  # amounts rise as they are recorded: at one moment, that is the order
        assert parts <= 12 + len(naive) // 4
        spent = [amount for at_us, amount in naive if at_us > now_us - 60 * MINUTE_US]
        assert values == {"largest": len(naive) - 1, "spent": sum(spent)}

        def learn(connection, opened=opened, learned=learned):
            engine.events._histories.learn(connection, opened, "order", learned)

        engine.store.writer.write_blocking(learn)
