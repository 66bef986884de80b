"""The index: how sets are kept, and how blocks come and go."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from segserver.audit import entry, index, search
from segserver.audit.entry import Kind
from segserver.audit.index import Indexer
from segserver.audit.prune import prune
from segserver.audit.search import Filter
from segserver.storage import log_index


@given(st.sets(st.integers(0, index.BLOCK_ENTRIES - 1), max_size=300))
def test_a_set_of_positions_survives_packing(positions):
    packed = index.pack(sorted(positions))
    assert index.unpack(packed) == sum(1 << position for position in positions)
    assert len(packed) <= index.BLOCK_BYTES


def test_counts_are_exact_after_a_prune_within_a_block(database, writer, connection, make_entry, start):
    count, kept = index.BLOCK_ENTRIES, 96
    writer.write_blocking(entries=[entry.encode(make_entry(number)) for number in range(count)])
    assert search.rebuild(connection, writer) == 1
    before = start + dt.timedelta(seconds=count - kept)
    assert prune(writer, connection, before=before, caller="officer", now=start) == count - kept
    counts = search.stats(connection, Filter())["kind"]
    assert counts == {Kind.EVALUATION: 72, Kind.PROFILE_WRITTEN: 24, Kind.AUDIT_PRUNED: 1}


def test_pruned_entries_are_found_no_more(database, writer, connection, make_entry, start):
    count = index.BLOCK_ENTRIES + 10
    for low in range(0, count, 1000):
        payloads = [entry.encode(make_entry(number)) for number in range(low, min(low + 1000, count))]
        writer.write_blocking(entries=payloads)
    indexer = Indexer(database, writer)
    while not log_index.block_count(connection):
        indexer._stop.wait(0.01)
    indexer.close()
    assert search.search(connection, Filter(subjects=("a1.subject-3",)), count=1000).found
    prune(writer, connection, before=start + dt.timedelta(days=9), caller="officer", now=start)
    assert not search.search(connection, Filter(subjects=("a1.subject-3",))).found
    assert not log_index.blocks_with(connection, "caller:crm")
    assert set(search.stats(connection, Filter())["kind"]) == {Kind.AUDIT_PRUNED}
