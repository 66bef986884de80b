"""Chunks and heads: as bytes, in pieces, and opened only when needed."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import pytest
from events_generators import EVENTS
from hypothesis import given
from hypothesis import strategies as st

from segserver.errors import IntegrityError
from segserver.events.columns import Coded, Numbers, packed
from segserver.events.definitions import DOUBLE_MAX, ComputedAttribute
from segserver.events.history import PARTIALS_MAX, Chunk, Head, History, Part, decode, encode, merge, split
from segserver.events.program import ComputedProgram

COLUMN = st.one_of(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)),
    st.lists(st.none() | st.floats(-DOUBLE_MAX, DOUBLE_MAX)),
    st.lists(st.none() | st.integers(-999, 999).map(lambda cents: cents / 100)),
    st.lists(st.none() | st.text(max_size=3)),
    st.lists(st.none() | st.booleans()),
    st.lists(st.none() | st.integers(0, 3) | st.booleans() | st.sampled_from(["1", 1.0])),
    st.lists(st.integers(0, 400).map(str), min_size=300, max_size=700),
)


def counted(rows: int, program: ComputedProgram, opened: list[int]) -> History:
    """Twelve orders, one an hour, in chunks with heads; ``opened`` receives what is read."""
    parts = []
    for index, chunk in enumerate(split(orders(12), rows)):

        def read(index: int = index, chunk: Chunk = chunk) -> Chunk:
            opened.append(index)
            return chunk

        parts.append(Part(program.summarize("order", chunk), read))
    return History(parts)


def orders(count: int) -> Chunk:
    return Chunk.of((3_600_000_000 * n, n, {"units": n, "item": "tea"}) for n in range(count))


def program_of(**attributes: Any) -> ComputedProgram:
    made = {
        name: ComputedAttribute(name, "order", *given, "behavioral", **more)
        for name, (given, more) in attributes.items()
    }
    return ComputedProgram(made, EVENTS)


@given(values=COLUMN)
def test_columns_come_back_as_they_went(values: list[Any]) -> None:
    count = len(values)
    chunk = Chunk(array("q", range(count)), array("q", range(count)), {"x": values})
    column = decode(encode(chunk)).columns["x"]
    assert [*column] == values == [column[index] for index in range(count)]
    assert [type(value) for value in column] == [type(value) for value in values]
    assert [*column[1:3]] == values[1:3]


def test_money_is_kept_as_millionths_and_what_is_not_as_doubles() -> None:
    assert isinstance(packed([0.1, 2.55]), Numbers)
    assert packed([0.1, 2.55, None]).exact() == array("q", [100_000, 2_550_000, 0])  # type: ignore[union-attr]
    assert packed([0.1, 1e-7]).code == "d"  # type: ignore[union-attr]
    assert isinstance(packed([1, 1.0]), Coded)


def test_any_other_bytes_are_no_chunk_and_no_head() -> None:
    blob, head = encode(orders(3)), Head.of(orders(3), {b"d": [1, 2]})
    assert Head.decode(head.encode()) == head
    for wrong in (b"", b"\xc1", blob[:-1], blob[:20], b"\x91\x01", blob + b"\x00", head.encode()):
        with pytest.raises(IntegrityError):
            decode(wrong)
    for wrong in (b"", b"\x91\x01", blob, head.encode()[:-1]):
        with pytest.raises(IntegrityError):
            Head.decode(wrong)


@pytest.mark.parametrize("place", range(0, 200, 7))
def test_damaged_chunks_are_refused_or_still_chunks(place: int) -> None:
    blob = bytearray(encode(orders(5)))
    if place < len(blob):
        blob[place] ^= 0x55
    try:
        chunk = decode(bytes(blob))
    except IntegrityError:
        return
    assert all(len([*column]) == len(chunk) for column in chunk.columns.values())


def test_merging_puts_late_events_into_their_place() -> None:
    first = Chunk.of([(10, 0, {"a": 1}), (30, 1, {"a": 2})])
    late = Chunk.of([(20, 3, {"b": "x"}), (30, 2, {"a": 3})])
    both = merge([late, first])
    assert [*both.times] == [10, 20, 30, 30]
    assert [*both.numbers] == [0, 3, 1, 2]
    assert {name: [*column] for name, column in both.columns.items()} == {
        "a": [1, None, 2, 3],
        "b": [None, "x", None, None],
    }


def test_whole_chunks_are_answered_from_their_heads() -> None:
    program = program_of(
        n=(("count", "8h"), {}),
        total=(("sum", "all"), {"of": "units"}),
        kinds=(("distinct", "all"), {"of": "item"}),
    )
    opened: list[int] = []
    history = counted(3, program, opened)
    answers = program.evaluate(["n", "total", "kinds"], {"order": history}, 11 * 3_600_000_000)
    assert answers == {"n": 8, "total": 66, "kinds": 1}
    assert opened == [1]  # where the eight hours begin
    assert history.fresh == {}


def test_heads_that_lack_a_partial_are_offered_anew() -> None:
    old, new = program_of(n=(("count", "all"), {})), program_of(total=(("sum", "all"), {"of": "units"}))
    opened: list[int] = []
    history = counted(5, old, opened)
    assert new.evaluate(["total"], {"order": history}, 10**12) == {"total": 66}
    assert opened == [0, 1, 2]
    assert sorted(history.fresh) == [0, 1, 2]
    chunks, again = split(orders(12), 5), []
    kept = History([Part(history.fresh[i], lambda: again.append(0) or orders(0)) for i in range(len(chunks))])
    assert new.evaluate(["total"], {"order": kept}, 10**12) == {"total": 66}
    assert old.evaluate(["n"], {"order": kept}, 10**12) == {"n": 12}
    assert again == []


def test_of_parts_that_are_open_or_overlap_nothing_is_kept() -> None:
    program = program_of(total=(("sum", "all"), {"of": "units"}))
    whole, late = orders(12), Chunk.of([(1, 99, {"units": 5})])
    for parts in (
        [Part(Head.of(whole), lambda: whole, closed=False)],
        [Part(Head.of(whole), lambda: whole), Part(Head.of(late), lambda: late)],
    ):
        history = History(parts)
        assert program.evaluate(["total"], {"order": history}, 10**12) == {"total": 66 + 5 * (len(parts) - 1)}
        assert history.fresh == {}


def test_a_head_forgets_its_oldest_partials() -> None:
    head = Head.of(orders(2), {bytes([index % 256, index // 256]): 0 for index in range(PARTIALS_MAX)})
    history = History([Part(head, lambda: orders(2))])
    program = program_of(n=(("count", "all"), {}))
    assert program.evaluate(["n"], {"order": history}, 10**12) == {"n": 2}
    assert len(history.fresh[0].partials) == PARTIALS_MAX
    assert b"\0\0" not in history.fresh[0].partials


def test_a_column_of_another_type_than_declared_counts_as_missing() -> None:
    def of(values: Sequence[Any]) -> dict[str, History]:
        return {"order": History.of(Chunk.of((n, n, {"units": v}) for n, v in enumerate(values)))}

    program = program_of(
        total=(("sum", "all"), {"of": "units"}), n=(("count", "all"), {"where": "event.units > 0"})
    )
    assert program.evaluate(["total", "n"], of(["a", "b"]), 10) == {"total": 0, "n": 0}
    assert program.evaluate(["total", "n"], of([1.5, 2.5]), 10) == {"total": 0, "n": 0}
    assert program.evaluate(["total", "n"], of([1, 2.5, 3, None]), 10) == {"total": 4, "n": 2}
