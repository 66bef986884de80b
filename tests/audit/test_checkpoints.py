"""Signing: soon, once, and never against what was signed before."""

from __future__ import annotations

import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from segserver.audit import merkle
from segserver.audit.checkpoints import Notary, sign
from segserver.audit.log import Log, read_head, reader
from segserver.audit.note import Signer, open_checkpoint
from segserver.errors import IntegrityError
from segserver.storage import log as store
from segserver.storage.writer import Writer


def notes(connection):
    return [note for _, note in store.checkpoints(connection, 0, 10**6)]


def test_nothing_is_signed_for_an_empty_log(connection, signer):
    assert sign(connection, signer) is None
    assert notes(connection) == []


def test_one_size_is_signed_once(write, connection, signer):
    first = write(3)
    assert write(0) == first
    assert open_checkpoint(first, [signer.key]) == open_checkpoint(notes(connection)[0], [signer.key])
    assert len(notes(connection)) == 1
    assert open_checkpoint(write(2), [signer.key]).size == 5


@pytest.mark.parametrize("kept", [2, 3, 9])
def test_a_log_with_another_past_is_not_signed(write, connection, signer, kept):
    write(3)
    connection.execute("DELETE FROM log_groups")
    connection.execute("DELETE FROM log_head")
    Log().append(connection, [b"forged %d" % number for number in range(kept)])
    with pytest.raises(IntegrityError):
        sign(connection, signer)
    assert len(notes(connection)) == 1


def test_a_new_key_extends_what_the_retired_one_signed(write, connection, signer):
    write(3)
    write(2, signed=False)
    fresh = Signer(signer.key.name, Ed25519PrivateKey.generate())
    with pytest.raises(IntegrityError):
        sign(connection, fresh)
    assert open_checkpoint(sign(connection, fresh, [signer.key]), [fresh.key]).size == 5


def test_the_notary_signs_by_itself_and_at_the_end(database, writer, connection, signer):
    notary = Notary(database, writer, signer)
    try:
        writer.write_blocking(entries=[b"one"])
        while not notes(connection):
            notary._stop.wait(0.01)
        writer.write_blocking(entries=[b"two"])
    finally:
        notary.close()
    assert open_checkpoint(notes(connection)[-1], [signer.key]).size == 2
    assert notary.failure is None


def test_the_notary_stops_for_good_at_a_contradiction(database, writer, connection, signer):
    notary = Notary(database, writer, signer)
    writer.write_blocking(entries=[b"one"])
    notary.sign()
    connection.execute("UPDATE log_checkpoints SET note = replace(note, ?, ?)", ["\n1", "\n2"])
    writer.write_blocking(entries=[b"two"])
    for _ in range(2):
        with pytest.raises(IntegrityError):
            notary.sign()
    assert len(notes(connection)) == 1
    notary.close()
    assert notary.failure is not None


def test_several_notaries_never_contradict_each_other(database, connection, signer):
    def work():
        writer = Writer(database, Log().append)
        notary = Notary(database, writer, signer)
        for number in range(40):
            writer.write_blocking(entries=[b"%d" % number])
            notary.sign()
        notary.close()
        writer.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    size, root = read_head(connection)
    assert size == 120
    for note in notes(connection):
        seen = open_checkpoint(note, [signer.key])
        proof = merkle.prove_consistency(seen.size, size, reader(connection))
        merkle.verify_consistency(seen.size, size, proof, seen.root, root)
