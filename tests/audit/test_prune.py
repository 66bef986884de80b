"""Retention: payloads go, and everything else stays provable."""

from __future__ import annotations

import datetime as dt

import pytest

from segserver.audit.entry import Kind, decode
from segserver.audit.proof import prove, verify_proof
from segserver.audit.prune import prune
from segserver.audit.verify import verify
from segserver.errors import IntegrityError
from segserver.storage import log as store

NOW = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def prune_before(writer, connection, start):
    def prune_before(second):
        before = start + dt.timedelta(seconds=second)
        return prune(writer, connection, before=before, caller="officer", now=NOW)

    return prune_before


def test_payloads_go_and_the_log_stays_whole(filled, prune_before, tmp_path):
    proof = prove(filled.connection, 3, filled.keys)
    assert prune_before(12) == 12
    report = verify(filled.connection, filled.keys)
    assert (report.size, report.pruned) == (41, 12)
    assert store.payload(filled.connection, 11) == (None,)
    entry = decode(store.payload(filled.connection, 40)[0])
    assert entry.kind is Kind.AUDIT_PRUNED
    assert entry.caller == "officer"
    assert entry.details == {"before": "2026-07-04T12:00:12.000000Z", "first": "0", "stop": "12"}
    assert verify_proof(proof, filled.keys).log_index == 3


def test_it_can_be_repeated(filled, prune_before):
    assert prune_before(5) == 5
    assert prune_before(5) == 0
    assert prune_before(0) == 0
    assert prune_before(20) == 15
    assert verify(filled.connection, filled.keys).pruned == 20
    assert prune_before(10**9) == 22
    assert verify(filled.connection, filled.keys).pruned == 42


def test_it_goes_on_after_a_kill(filled, prune_before, monkeypatch):
    class Killed(Exception):
        pass

    def die(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(store, "drop_payloads", die)
        with pytest.raises(Killed):
            prune_before(9)
    assert verify(filled.connection, filled.keys).pruned == 0
    assert prune_before(9) == 9
    assert verify(filled.connection, filled.keys).pruned == 9


def test_a_prune_does_not_disturb_a_verification(filled, prune_before, monkeypatch):
    monkeypatch.setattr(store, "SCAN_ROWS", 8)
    turns = iter([9, 17])
    report = verify(filled.connection, filled.keys, progress=lambda *_: prune_before(next(turns, 17)))
    assert (report.size, report.pruned) == (42, 17)


def test_more_than_the_recorded_prune_is_noticed(filled, prune_before):
    prune_before(12)
    filled.connection.execute("UPDATE log_groups SET payloads = NULL WHERE first = 12")
    with pytest.raises(IntegrityError) as refused:
        verify(filled.connection, filled.keys)
    assert refused.value.reason == "PAYLOAD_MISSING"
    assert refused.value.metadata["log_index"] == "12"


def test_the_record_of_the_prune_can_not_be_hidden(filled, prune_before):
    prune_before(12)
    filled.connection.execute("DELETE FROM log_prunes")
    with pytest.raises(IntegrityError):
        verify(filled.connection, filled.keys)


def test_a_changed_hash_of_a_pruned_entry_is_noticed(filled, prune_before):
    prune_before(12)
    filled.connection.execute("UPDATE log_groups SET hashes = ? WHERE first = 4", [bytes(32)])
    with pytest.raises(IntegrityError) as refused:
        verify(filled.connection, filled.keys)
    assert refused.value.metadata == {"log_index": "4", "log_index_last": "5"}


def test_an_empty_log_has_nothing_to_prune(writer, connection):
    assert prune(writer, connection, before=NOW, caller="officer", now=NOW) == 0
