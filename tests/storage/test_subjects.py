from __future__ import annotations

from segserver.storage.subjects import SubjectRow, Subjects

SUBJECTS = Subjects()


def key(number: int) -> bytes:
    return b"\x01" + number.to_bytes(32)


def row(number: int, *, version: int = 1, revision: int = 1) -> SubjectRow:
    return SubjectRow(key(number), b"w", version, b"s" * 16, b"profile", b"state", revision, 5)


def test_a_row_comes_back_and_is_replaced(connection):
    assert SUBJECTS.get(connection, key(1)) is None
    SUBJECTS.put(connection, row(1))
    SUBJECTS.put(connection, row(1, revision=2))
    assert SUBJECTS.get(connection, key(1)) == row(1, revision=2)
    assert SUBJECTS.count(connection) == 1


def test_an_alias_leads_to_the_subject(connection):
    SUBJECTS.put(connection, row(1))
    SUBJECTS.put_alias(connection, key(9), key(1))
    assert SUBJECTS.get(connection, key(9)) == row(1)
    assert SUBJECTS.alias(connection, key(9)) == key(1)
    assert SUBJECTS.aliases(connection, key(1)) == [key(9)]
    assert SUBJECTS.get_many(connection, [key(2), key(9)]) == [None, row(1)]


def test_pages_hold_every_row_once_in_order(connection):
    rows = [row(n) for n in (5, 3, 9, 1, 7)]
    for one in rows:
        SUBJECTS.put(connection, one)
    pages = list(SUBJECTS.pages(connection, rows=2))
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [r for page in pages for r in page] == sorted(rows)
    assert [r for page in SUBJECTS.pages(connection, after=key(5)) for r in page] == [row(7), row(9)]


def test_erasing_takes_the_aliases_along(connection):
    SUBJECTS.put(connection, row(1))
    SUBJECTS.put_alias(connection, key(9), key(1))
    assert SUBJECTS.erase(connection, key(1))
    assert not SUBJECTS.erase(connection, key(1))
    assert SUBJECTS.get(connection, key(9)) is None
    assert SUBJECTS.aliases(connection, key(1)) == []


def test_rewrapping_moves_rows_between_versions(connection):
    for n in range(5):
        SUBJECTS.put(connection, row(n, version=1 + n % 2))
    assert SUBJECTS.key_versions(connection) == {1: 3, 2: 2}
    found = SUBJECTS.wrapped_under(connection, [1], 2)
    assert len(found) == 2
    SUBJECTS.rewrap(connection, [(b"new", 2, subject_key) for subject_key, _, _ in found])
    assert SUBJECTS.key_versions(connection) == {1: 1, 2: 4}
    assert SUBJECTS.get(connection, found[0][0]).wrapped_key == b"new"


def test_key_checks_are_replaced_together(connection):
    assert SUBJECTS.key_checks(connection) == {}
    SUBJECTS.put_key_checks(connection, {"a": b"1", "b": b"2"})
    SUBJECTS.put_key_checks(connection, {"a": b"3"})
    assert SUBJECTS.key_checks(connection) == {"a": b"3"}
