"""Callers, their keys and their certificates, in each store."""

import pytest
from sqlite_utils.migrations import Migrations

from segserver.errors import Conflict, FailedPrecondition, NotFound
from segserver.storage import callers
from segserver.storage.sqlite import Database, schema


def add(connection, name, **more):
    callers.add(connection, name=name, roles=["writer", "evaluator"], purposes=["*"], created_us=1, **more)


def put_key(connection, name, key_hash, *, now_us=1, expires_us=None, former_until_us=1):
    callers.add_key(
        connection,
        name=name,
        key_hash=key_hash,
        created_us=now_us,
        expires_us=expires_us,
        former_until_us=former_until_us,
    )


def test_a_key_finds_its_caller_and_tells_when_it_expires(connection):
    add(connection, "shop")
    put_key(connection, "shop", b"1", expires_us=9)
    found = callers.find(connection, b"1")
    assert found is not None
    row, expires_us = found
    assert (row.name, row.roles, row.purposes, row.revoked_us, expires_us) == (
        "shop",
        "evaluator writer",
        "*",
        None,
        9,
    )
    assert callers.find(connection, b"2") is None


@pytest.mark.parametrize(("former", "left"), [(None, 50), (70, 50), (30, 30)])
def test_a_new_key_ends_the_one_before_soon_and_those_before_that_now(connection, former, left):
    add(connection, "shop")
    add(connection, "till")
    put_key(connection, "till", b"t")
    put_key(connection, "shop", b"1")
    put_key(connection, "shop", b"2", now_us=2, expires_us=former, former_until_us=40)
    put_key(connection, "shop", b"3", now_us=3, former_until_us=50)
    assert callers.find(connection, b"1") is None
    keys = [(key.name, key.number, key.expires_us) for key in callers.keys(connection)]
    assert keys == [("shop", 2, left), ("shop", 3, None), ("till", 1, None)]


def test_a_key_needs_a_caller_who_is_not_revoked(connection):
    with pytest.raises(NotFound):
        put_key(connection, "shop", b"1")
    add(connection, "shop")
    callers.revoke(connection, "shop", 7)
    callers.revoke(connection, "shop", 8)
    with pytest.raises(FailedPrecondition):
        put_key(connection, "shop", b"1")
    assert [row.revoked_us for row in callers.listing(connection)] == [7]
    with pytest.raises(Conflict):
        add(connection, "shop")
    with pytest.raises(NotFound):
        callers.revoke(connection, "nobody", 7)


def test_a_certificate_is_one_caller_s(connection):
    add(connection, "shop")
    add(connection, "till")
    for identity in ("dns:a.example", "dns:b.example"):
        callers.add_certificate(connection, "shop", identity)
    callers.add_certificate(connection, "till", "spiffe://example/till")
    with pytest.raises(Conflict, match="of shop"):
        callers.add_certificate(connection, "till", "dns:a.example")

    def names(*identities):
        return sorted(row.name for row in callers.find_by_certificate(connection, identities))

    assert names("dns:a.example", "dns:b.example", "dns:c.example") == ["shop"]
    assert names("dns:a.example", "spiffe://example/till") == ["shop", "till"]
    assert names("dns:A.example", "' OR 1=1 --") == []
    assert callers.certificates(connection) == [
        ("shop", "dns:a.example"),
        ("shop", "dns:b.example"),
        ("till", "spiffe://example/till"),
    ]


def test_keys_from_before_there_could_be_two_are_kept(tmp_path):
    before = Migrations("segserver.callers")
    before(name="m001_create")(schema.create_callers)
    old = Database(tmp_path / "x.db", [before]).connect()
    old.execute("INSERT INTO callers VALUES ('shop', ?, 'writer', '*', 1, 9, NULL)", [b"1"])
    old.execute("INSERT INTO callers VALUES ('gone', ?, 'writer', '*', 1, NULL, 5)", [b"2"])
    old.close()
    now = Database(tmp_path / "x.db", schema.MIGRATIONS).connect()
    shop = callers.CallerRow("shop", "writer", "*", 1, None)
    assert callers.find(now, b"1") == (shop, 9)
    assert [row.revoked_us for row in callers.listing(now)] == [5, None]
    put_key(now, "shop", b"3", former_until_us=7)
    assert callers.find(now, b"1") == (shop, 7)
    now.close()
