"""Proofs of single entries, verified without the database."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segserver.audit.entry import encode
from segserver.audit.note import Signer
from segserver.audit.proof import prove, prove_growth, verify_proof
from segserver.errors import FailedPrecondition, IntegrityError, NotFound
from segserver.storage import log as store


@pytest.mark.parametrize("log_index", [0, 6, 7, 31, 32])
def test_a_proof_shows_its_entry(filled, make_entry, log_index):
    proven = verify_proof(prove(filled.connection, log_index, filled.keys), filled.keys)
    assert proven.log_index == log_index
    assert proven.entry == make_entry(log_index)
    assert proven.payload == encode(proven.entry)
    assert proven.checkpoint.size == 33


def test_its_form_is_that_of_the_specification(filled):
    lines = prove(filled.connection, 20, filled.keys).split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == "index 20"
    assert lines[lines.index("") + 1] == filled.signer.key.name


def test_what_can_not_be_proved_yet_or_any_more(filled):
    for log_index in (33, 39):
        with pytest.raises(FailedPrecondition) as refused:
            prove(filled.connection, log_index, filled.keys)
        assert refused.value.reason == "NOT_SIGNED_YET"
    for log_index in (40, -1):
        with pytest.raises(NotFound):
            prove(filled.connection, log_index, filled.keys)
    filled.connection.execute("UPDATE log_groups SET payloads = NULL WHERE first = 3")
    with pytest.raises(FailedPrecondition) as refused:
        prove(filled.connection, 3, filled.keys)
    assert refused.value.reason == "ENTRY_PRUNED"


def test_a_changed_entry_is_not_proved(filled):
    filled.connection.execute("UPDATE log_groups SET payloads = ? WHERE first = 3", [b"{}"])
    with pytest.raises(IntegrityError):
        prove(filled.connection, 3, filled.keys)


def test_the_proof_of_another_entry(filled):
    one, other = (prove(filled.connection, log_index, filled.keys).split("\n") for log_index in (3, 4))
    for line in (1, 2, 3):
        mixed = [*one[:line], other[line], *one[line + 1 :]]
        with pytest.raises(IntegrityError) as refused:
            verify_proof("\n".join(mixed), filled.keys)
        assert refused.value.reason == "PROOF_INVALID"


def test_a_proof_under_another_key(filled):
    other = Signer(filled.signer.key.name, Ed25519PrivateKey.generate())
    with pytest.raises(IntegrityError) as refused:
        verify_proof(prove(filled.connection, 3, filled.keys), [other.key])
    assert refused.value.reason == "SIGNATURE_MISSING"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.data())
def test_no_changed_proof_shows_anything_else(filled, data):
    proof = prove(filled.connection, 20, filled.keys)
    place = data.draw(st.integers(0, len(proof) - 1))
    changed = proof[:place] + data.draw(st.text(max_size=2)) + proof[place + data.draw(st.integers(0, 2)) :]
    if changed == proof:
        return
    with pytest.raises(IntegrityError):
        verify_proof(changed, filled.keys)


@given(st.text(max_size=200))
def test_arbitrary_text_raises_one_error(text):
    for proof in (text, f"c2sp.org/tlog-proof@v1\nextra {text}\nindex 1\n\n{text}"):
        with pytest.raises(IntegrityError):
            verify_proof(proof, [])


def test_growth_from_nothing_needs_no_proof(filled):
    assert prove_growth(filled.connection, 0, 40) == []
    assert store.newest_checkpoint(filled.connection) is not None
