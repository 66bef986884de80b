"""A second pair of eyes: what was seen once can't be denied."""

from __future__ import annotations

from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from segserver.audit.checkpoints import sign
from segserver.audit.log import Log
from segserver.audit.note import Checkpoint, Signer, open_checkpoint
from segserver.audit.proof import prove_growth
from segserver.audit.witness import Witness
from segserver.errors import IntegrityError, Unavailable


@pytest.fixture
def witness(tmp_path, signer):
    return Witness(tmp_path / "witness", [signer.key])


@pytest.fixture
def growth(connection):
    return partial(prove_growth, connection)


def rewrite(connection, count):
    """A log of other entries, signed by whoever holds the key."""
    for table in ("log_groups", "log_head", "log_checkpoints"):
        connection.execute(f"DELETE FROM {table}")
    Log().append(connection, [b"forged %d" % number for number in range(count)])


def test_a_growing_log_is_followed(witness, write, growth, signer):
    assert witness.remembered() is None
    for count in (1, 4, 0, 30):
        note = write(count)
        seen = witness.observe(note, growth)
        assert witness.remembered() == seen == open_checkpoint(note, [signer.key])


def test_a_rollback_is_refused_and_the_evidence_kept(witness, write, growth):
    old = write(5)
    seen = witness.observe(write(5), growth)
    with pytest.raises(IntegrityError) as refused:
        witness.observe(old, growth)
    assert refused.value.reason == "LOG_ROLLED_BACK"
    assert witness.remembered() == seen


@pytest.mark.parametrize("count", [10, 11, 25])
def test_a_log_written_anew_by_the_key_holder_is_refused(witness, write, connection, growth, signer, count):
    seen = witness.observe(write(10), growth)
    rewrite(connection, count)
    with pytest.raises(IntegrityError) as refused:
        witness.observe(sign(connection, signer), growth)
    assert refused.value.reason == "LOG_FORKED"
    assert witness.remembered() == seen


def test_another_log_and_another_key_are_refused(tmp_path, witness, write, growth, signer):
    witness.observe(write(3), growth)
    other = Signer("other.example", Ed25519PrivateKey.generate())
    note = other.sign(Checkpoint("other.example", 4, bytes(32)))
    with pytest.raises(IntegrityError):
        witness.observe(note, growth)
    with pytest.raises(IntegrityError) as refused:
        Witness(witness.path, [signer.key, other.key]).observe(note, growth)
    assert refused.value.reason == "OTHER_LOG"


def test_a_spoilt_memory_is_not_taken_for_none(witness, write, growth):
    witness.observe(write(3), growth)
    witness.path.write_text(witness.path.read_text().replace("\n3\n", "\n2\n"))
    with pytest.raises(IntegrityError):
        witness.observe(write(1), growth)
    witness.path.unlink()
    witness.path.mkdir()
    with pytest.raises(Unavailable):
        witness.remembered()


def test_a_memory_that_can_not_be_written_says_so(tmp_path, write, growth, signer):
    with pytest.raises(Unavailable):
        Witness(tmp_path / "nowhere" / "witness", [signer.key]).observe(write(3), growth)
