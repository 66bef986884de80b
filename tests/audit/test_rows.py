"""Rows of several entries, and every way to spoil one."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segserver.audit.log import Log
from segserver.audit.verify import verify
from segserver.errors import IntegrityError
from segserver.storage import log as store


def refused(log):
    """The reason and the first suspect."""
    with pytest.raises(IntegrityError) as error:
        verify(log.connection, log.keys)
    return error.value.reason, int(error.value.metadata["log_index"])


def column(connection, name, first):
    return connection.execute(f"SELECT {name} FROM log_groups WHERE first = ?", [first]).fetchone()[0]


def put(connection, name, first, value):
    connection.execute(f"UPDATE log_groups SET {name} = ? WHERE first = ?", [value, first])


def test_what_was_appended_together_is_one_row_within_a_span(connection):
    log = Log()
    for count in (1, 62, 3, 140):
        log.append(connection, [b"entry"] * count)
    rows = connection.execute("SELECT first, entries FROM log_groups ORDER BY first").fetchall()
    assert rows == [(0, 1), (1, 62), (63, 1), (64, 2), (66, 62), (128, 64), (192, 14)]
    assert verify(connection, []).size == 206


@pytest.mark.parametrize("log_index", [7, 12, 19])
def test_a_flipped_bit_names_its_entry(grouped, log_index):
    payload = store.payload(grouped.connection, log_index)[0]
    stored = column(grouped.connection, "payloads", 7)
    put(grouped.connection, "payloads", 7, stored.replace(payload, payload[:-1] + b"|"))
    assert refused(grouped) == ("ENTRY_CHANGED", log_index)


def test_a_byte_moved_from_one_entry_to_the_next(grouped):
    stored = bytearray(column(grouped.connection, "payloads", 7))
    stored[4 * 5 + 3] -= 1
    stored[4 * 6 + 3] += 1
    put(grouped.connection, "payloads", 7, bytes(stored))
    assert refused(grouped) == ("ENTRY_CHANGED", 12)


def test_two_entries_of_a_row_swapped(grouped):
    payloads = [store.payload(grouped.connection, log_index)[0] for log_index in range(7, 20)]
    payloads[2], payloads[3] = payloads[3], payloads[2]
    put(grouped.connection, "payloads", 7, store.pack(payloads))
    assert refused(grouped) == ("ENTRY_CHANGED", 9)


@pytest.mark.parametrize("name", ["hashes", "payloads"])
@pytest.mark.parametrize("spoil", [lambda stored: stored[:-1], lambda stored: stored + b"x", lambda _: b""])
def test_a_malformed_row(grouped, name, spoil):
    put(grouped.connection, name, 20, spoil(column(grouped.connection, name, 20)))
    assert refused(grouped) == ("LOG_DAMAGED", 20)
    with pytest.raises(IntegrityError):
        (store.hashes if name == "hashes" else store.payload)(grouped.connection, 25)


@pytest.mark.parametrize("entries", [-1, 0, 2, 12, 14, 64, 1 << 40])
def test_another_number_of_entries(grouped, entries):
    put(grouped.connection, "entries", 7, entries)
    assert refused(grouped) == ("LOG_DAMAGED", 7)


def test_a_row_that_claims_one_entry(grouped):
    put(grouped.connection, "entries", 7, 1)
    assert refused(grouped) == ("ENTRY_CHANGED", 7)


def test_what_comes_before_a_malformed_row_is_named_first(grouped):
    put(grouped.connection, "entries", 20, 0)
    put(grouped.connection, "payloads", 0, column(grouped.connection, "payloads", 0)[:-1] + b"|")
    assert refused(grouped) == ("ENTRY_CHANGED", 6)


def test_a_deleted_row(grouped):
    grouped.connection.execute("DELETE FROM log_groups WHERE first = 7")
    assert refused(grouped) == ("ENTRY_MISSING", 7)


@pytest.mark.parametrize("first", [10, 19, 34])
def test_a_row_over_another(grouped, first):
    grouped.connection.execute(
        "INSERT INTO log_groups SELECT ?, 1, hashes, payloads FROM log_groups WHERE first = 7", [first]
    )
    reason, log_index = refused(grouped)
    assert reason in ("ENTRY_MISSING", "ROW_ADDED")
    assert log_index in (20, 33, 40, first, first + 1)


def test_a_row_before_the_first(grouped):
    grouped.connection.execute(
        "INSERT INTO log_groups SELECT -1, 1, hashes, payloads FROM log_groups WHERE first = 7"
    )
    assert refused(grouped) == ("ROW_ADDED", -1)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([0, 7, 20, 33]), st.sampled_from(["hashes", "payloads"]), st.data())
def test_any_changed_byte_of_a_row(grouped, first, name, data):
    stored = column(grouped.connection, name, first)
    place = data.draw(st.integers(0, len(stored) - 1))
    changed = bytearray(stored)
    changed[place] ^= data.draw(st.integers(1, 255))
    put(grouped.connection, name, first, bytes(changed))
    try:
        reason, log_index = refused(grouped)
    finally:
        put(grouped.connection, name, first, stored)
    assert reason in ("ENTRY_CHANGED", "LOG_DAMAGED")
    assert log_index < first + 13


def test_dropped_payloads_without_a_prune(grouped):
    store.drop_payloads(grouped.connection, 10, 12)
    assert refused(grouped) == ("PAYLOAD_MISSING", 10)
