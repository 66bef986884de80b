"""The log's rows, against a list of the same entries."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segserver.storage import log as store

SPAN = store.GROUP_ENTRIES

appends = st.lists(st.integers(1, 3 * SPAN), min_size=1, max_size=6)
places = st.integers(0, 18 * SPAN)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(appends, st.lists(st.tuples(places, places), max_size=3), st.lists(places, max_size=4), places, places)
def test_entries_are_found_however_they_are_in_rows(connection, counts, drops, splits, start, stop):
    connection.execute("DELETE FROM log_groups")
    entries: list[tuple[int, bytes, bytes | None]] = []
    for count in counts:
        first = len(entries)
        fresh = [(first + n, b"h" * (first + n + 1), b"%d" % n * (n % 3)) for n in range(count)]
        store.append(connection, first, [row[1] for row in fresh], [row[2] for row in fresh], bytes(32))
        entries += fresh
    for log_index in splits:
        store.split(connection, log_index)
    for low, high in drops:
        dropped = [row for row in entries[low:high] if row[2] is not None]
        assert store.drop_payloads(connection, low, high) == len(dropped)
        entries[low:high] = [(log_index, stored, None) for log_index, stored, _ in entries[low:high]]

    assert store.head(connection) == (len(entries), bytes(32))
    assert [row for rows in store.scan(connection, start, stop) for row in rows] == entries[start:stop]
    wanted = range(len(entries) + 1, -1, -7)
    assert list(store.payloads(connection, wanted)) == [
        (log_index, entries[log_index][2]) for log_index in wanted if log_index < len(entries)
    ]
    assert store.hashes(connection, start) == (entries[start][1] if start < len(entries) else None)
    assert store.payload(connection, start) == ((entries[start][2],) if start < len(entries) else None)
    kept = [row[0] for row in entries if row[2] is not None and row[0] >= start]
    assert store.first_payload(connection, start) == (kept[0] if kept else None)
