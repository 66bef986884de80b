"""Dependency order and cycles, against a naive reading."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from segserver.catalog.graph import closure, order, path

NAMES = "abcdefgh"
GRAPHS = st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES), max_size=4))


def below(reads, name):
    """Everything that ``name`` reads, directly or not."""
    seen, pending = set(), list(reads.get(name, ()))
    while pending:
        found = pending.pop()
        if found not in seen:
            seen.add(found)
            pending += reads.get(found, ())
    return seen


@given(GRAPHS)
def test_what_depends_on_no_cycle_is_ordered_after_what_it_reads(reads):
    ordered, _ = order(reads)
    circular = {name for name in reads if name in below(reads, name)}
    assert sorted(ordered) == sorted(n for n in reads if n not in circular and not circular & below(reads, n))
    for position, name in enumerate(ordered):
        assert not set(reads[name]) & set(ordered[position:])


@given(GRAPHS)
def test_cycles_are_real_and_none_is_missed(reads):
    _, cycles = order(reads)
    for cycle in cycles:
        assert cycle[0] == cycle[-1]
        assert all(step in reads[name] for name, step in pairwise(cycle))
    assert bool(cycles) == any(name in below(reads, name) for name in reads)


@given(GRAPHS)
def test_the_order_does_not_depend_on_how_the_graph_is_written(reads):
    assert order(reads) == order(dict(reversed(reads.items())))


@given(GRAPHS, st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_a_path_is_found_where_there_is_one(reads, start, end):
    way = path(reads, start, lambda name: name == end)
    assert bool(way) == (end == start or end in below(reads, start))
    if way:
        assert (way[0], way[-1]) == (start, end)
        assert all(step in reads[name] for name, step in pairwise(way))


@given(GRAPHS, st.sets(st.sampled_from(NAMES)))
def test_a_closure_is_everything_below(reads, starts):
    assert closure(reads, starts) == starts.union(*(below(reads, name) for name in starts))


def test_a_deep_chain_needs_no_deep_stack():
    reads = {f"n{i:06}": [f"n{i + 1:06}"] for i in range(50_000)}
    assert len(order(reads)[0]) == 50_000
