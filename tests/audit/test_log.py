"""Appending, through the store's real writer."""

from __future__ import annotations

import pytest

from segserver.audit import merkle
from segserver.audit.log import Log, read_head, reader
from segserver.errors import IntegrityError
from segserver.storage import log as store
from segserver.storage.writer import Writer


def payloads(count, word=b"entry"):
    return [b"%s %d" % (word, number) for number in range(count)]


def stored(database):
    connection = database.connect(read_only=True)
    try:
        rows = [row for chunk in store.scan(connection, 0, 10**4) for row in chunk]
        return rows, read_head(connection), merkle.root(len(rows), reader(connection))
    finally:
        connection.close()


def test_an_empty_log_has_the_empty_root(database):
    assert stored(database) == ([], (0, merkle.EMPTY_ROOT), merkle.EMPTY_ROOT)


def test_entries_get_their_places_in_order(database):
    writer = Writer(database, Log().append)
    first = writer.write_blocking(entries=payloads(5))
    second = writer.write_blocking(entries=payloads(3))
    writer.close()
    assert list(first.indexes) == [0, 1, 2, 3, 4]
    assert list(second.indexes) == [5, 6, 7]
    rows, head, root = stored(database)
    assert [row[2] for row in rows] == payloads(5) + payloads(3)
    assert [row[1][:32] for row in rows] == [merkle.leaf_hash(row[2]) for row in rows]
    assert head == (8, root)


def test_a_failed_unit_leaves_no_entry(database):
    writer = Writer(database, Log().append)

    def fail(connection):
        raise ValueError("no")

    writer.write_blocking(entries=payloads(1))
    with pytest.raises(ValueError, match="no"):
        writer.write_blocking(fail, entries=payloads(2))
    writer.write_blocking(entries=payloads(1))
    writer.close()
    rows, head, root = stored(database)
    assert len(rows) == 2
    assert head == (2, root)


def test_a_transaction_that_was_rolled_back_is_forgotten(database):
    log, session = Log(), database.session()
    for undone in (False, True, False, True, True, False):
        session.begin()
        log.append(session.connection, payloads(3))
        (session.rollback if undone else session.commit)()
    session.close()
    rows, head, root = stored(database)
    assert len(rows) == 9
    assert head == (9, root)


def test_two_logs_on_one_file_take_turns(database):
    writers = [Writer(database, Log().append) for _ in range(3)]
    for turn in range(30):
        writers[turn % 3].write_blocking(entries=payloads(turn % 4 + 1))
    for writer in writers:
        writer.close()
    rows, head, root = stored(database)
    assert head == (len(rows), root)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE log_groups SET hashes = payloads WHERE first = 3",
        "DELETE FROM log_groups WHERE first = 3",
        "UPDATE log_head SET root = (SELECT hashes FROM log_groups WHERE first = 3)",
    ],
)
def test_a_log_known_to_be_damaged_takes_no_more(database, damage):
    writer = Writer(database, Log().append)
    for payload in payloads(4):
        writer.write_blocking(entries=[payload])
    writer.close()
    connection = database.connect()
    connection.execute(damage)
    connection.close()
    writer = Writer(database, Log().append)
    with pytest.raises(IntegrityError) as refused:
        writer.write_blocking(entries=payloads(1))
    writer.close()
    assert refused.value.reason == "LOG_DAMAGED"
