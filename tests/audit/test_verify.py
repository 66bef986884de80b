"""Every way to spoil the log that we know of, and what verification says of it."""

from __future__ import annotations

import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segserver.audit import merkle
from segserver.audit.log import Log, reader
from segserver.audit.note import Checkpoint, NoteKey, Signer, open_checkpoint
from segserver.audit.verify import verified_checkpoint, verify
from segserver.errors import IntegrityError, Unavailable
from segserver.storage import log as store
from segserver.storage.sqlite import Database


def refused(filled, **options):
    """The reason, the first and the last suspect."""
    with pytest.raises(IntegrityError) as error:
        verify(filled.connection, filled.keys, **options)
    metadata = error.value.metadata
    return (
        error.value.reason,
        *(int(metadata[key]) for key in ("log_index", "log_index_last") if key in metadata),
    )


def rows(connection):
    return [row for chunk in store.scan(connection, 0, 10**4) for row in chunk]


def rewrite(connection, payloads):
    """What an operator without the key can do: write the whole tree anew, consistently."""
    connection.execute("DELETE FROM log_groups")
    connection.execute("DELETE FROM log_head")
    Log().append(connection, payloads)


def test_a_whole_log_verifies(filled):
    calls = []
    report = verify(filled.connection, filled.keys, progress=lambda *call: calls.append(call))
    assert (report.start, report.size, report.signed, report.checkpoints, report.pruned) == (0, 40, 33, 3, 0)
    assert report.root == merkle.root(40, reader(filled.connection))
    assert calls[-1] == (40, 40)


def test_an_empty_log_verifies(connection, signer):
    assert verify(connection, [signer.key]).size == 0


def test_it_resumes_from_a_trusted_checkpoint(filled):
    trusted = open_checkpoint(store.newest_checkpoint(filled.connection), filled.keys)
    report = verify(filled.connection, filled.keys, trusted=trusted, resume=True)
    assert (report.start, report.size, report.checkpoints) == (33, 40, 0)
    change(filled.connection, 34)
    assert refused(filled, trusted=trusted, resume=True) == ("ENTRY_CHANGED", 34)


def test_what_grew_meanwhile_is_not_taken_for_verified(filled, write):
    report = verify(filled.connection, filled.keys, progress=lambda done, total: write(3))
    assert report.size == 40
    note = verified_checkpoint(filled.connection, report)
    assert open_checkpoint(note, filled.keys).size == report.signed == 33
    assert store.checkpoint_size(filled.connection) > 40


def test_an_unsigned_log_has_no_verified_checkpoint(write, connection, signer):
    write(3, signed=False)
    assert verified_checkpoint(connection, verify(connection, [signer.key])) is None


def test_resuming_still_checks_the_stored_past(filled):
    trusted = open_checkpoint(store.newest_checkpoint(filled.connection), filled.keys)
    (length,) = filled.connection.execute("SELECT length(hashes) FROM log_groups WHERE first = 32").fetchone()
    filled.connection.execute("UPDATE log_groups SET hashes = ? WHERE first = 32", [bytes(length)])
    assert refused(filled, trusted=trusted, resume=True) == ("ROOT_MISMATCH", 0, 32)


def change(connection, log_index):
    payload = bytearray(store.payload(connection, log_index)[0])
    payload[-1] ^= 1
    connection.execute("UPDATE log_groups SET payloads = ? WHERE first = ?", [bytes(payload), log_index])
    return bytes(payload)


@pytest.mark.parametrize("log_index", [0, 1, 19, 32, 39])
def test_a_flipped_bit(filled, log_index):
    change(filled.connection, log_index)
    assert refused(filled) == ("ENTRY_CHANGED", log_index)


def test_a_flipped_bit_with_its_hash_made_to_fit(filled):
    leaf = merkle.leaf_hash(change(filled.connection, 12))
    filled.connection.execute("UPDATE log_groups SET hashes = ? WHERE first = 12", [leaf])
    assert refused(filled) == ("ENTRY_CHANGED", 12, 13)


def test_a_changed_entry_with_all_hashes_made_to_fit(filled):
    payloads = [row[2] for row in rows(filled.connection)]
    payloads[12] = payloads[12].replace(b"retail/", b"retali/")
    rewrite(filled.connection, payloads)
    assert refused(filled) == ("ROOT_MISMATCH", 7, 19)


def test_a_changed_entry_that_is_not_signed_yet(filled):
    payloads = [row[2] for row in rows(filled.connection)]
    head = filled.connection.execute("SELECT size, root FROM log_head").fetchone()
    payloads[35] += b" "
    rewrite(filled.connection, payloads)
    filled.connection.execute("UPDATE log_head SET size = ?, root = ?", head)
    assert refused(filled) == ("ROOT_MISMATCH", 33, 39)


@pytest.mark.parametrize("log_index", [0, 12, 39])
def test_a_deleted_row(filled, log_index):
    filled.connection.execute("DELETE FROM log_groups WHERE first = ?", [log_index])
    assert refused(filled) == ("ENTRY_MISSING", log_index)


def test_the_first_bad_entry_is_named(filled):
    filled.connection.execute("DELETE FROM log_groups WHERE first = 12")
    change(filled.connection, 30)
    assert refused(filled) == ("ENTRY_MISSING", 12)
    change(filled.connection, 11)
    assert refused(filled) == ("ENTRY_CHANGED", 11)


def test_many_deleted_rows(filled):
    filled.connection.execute("DELETE FROM log_groups WHERE first >= 5")
    assert refused(filled) == ("ENTRY_MISSING", 5)


def test_an_entry_deleted_and_the_rest_moved_up(filled):
    payloads = [row[2] for row in rows(filled.connection)]
    del payloads[12]
    rewrite(filled.connection, payloads)
    assert refused(filled) == ("ROOT_MISMATCH", 7, 19)


@pytest.mark.parametrize(("one", "other", "blamed"), [(4, 5, (4, 5)), (4, 6, (4, 5)), (3, 30, (2, 3))])
def test_swapped_rows(filled, one, other, blamed):
    before = rows(filled.connection)
    for place, source in ((one, other), (other, one)):
        _, hashes, payload = before[source]
        stored = hashes[:32] + before[place][1][32:]
        filled.connection.execute(
            "UPDATE log_groups SET hashes = ?, payloads = ? WHERE first = ?", [stored, payload, place]
        )
    assert refused(filled) == ("ENTRY_CHANGED", *blamed)


def test_a_duplicated_row(filled):
    filled.connection.execute(
        "INSERT INTO log_groups SELECT 40, 1, hashes, payloads FROM log_groups WHERE first = 39"
    )
    assert refused(filled) == ("ROW_ADDED", 40)


def test_an_inserted_entry(filled):
    payloads = [row[2] for row in rows(filled.connection)]
    payloads.insert(25, payloads[3])
    rewrite(filled.connection, payloads)
    assert refused(filled) == ("ROOT_MISMATCH", 20, 32)


def test_a_log_cut_below_its_last_checkpoint(filled):
    payloads = [row[2] for row in rows(filled.connection)]
    rewrite(filled.connection, payloads[:30])
    assert refused(filled) == ("LOG_ROLLED_BACK", 30)


def test_a_log_cut_together_with_its_checkpoints_contradicts_what_was_seen(filled):
    trusted = open_checkpoint(store.newest_checkpoint(filled.connection), filled.keys)
    payloads = [row[2] for row in rows(filled.connection)]
    rewrite(filled.connection, payloads[:30])
    filled.connection.execute("DELETE FROM log_checkpoints WHERE size > 30")
    assert verify(filled.connection, filled.keys).size == 30
    assert refused(filled, trusted=trusted) == ("LOG_ROLLED_BACK",)


def test_a_rewritten_log_with_its_checkpoints_removed_contradicts_what_was_seen(filled):
    trusted = open_checkpoint(store.newest_checkpoint(filled.connection), filled.keys)
    payloads = [row[2] + b" " for row in rows(filled.connection)]
    rewrite(filled.connection, payloads)
    filled.connection.execute("DELETE FROM log_checkpoints")
    assert refused(filled, trusted=trusted) == ("ROOT_MISMATCH", 0, 32)


def test_a_removed_head(filled):
    filled.connection.execute("DELETE FROM log_head")
    assert refused(filled) == ("ROW_ADDED", 0)


def test_a_stored_node_that_no_payload_shows(filled):
    hashes = bytearray(store.hashes(filled.connection, 15))
    hashes[70] ^= 1
    filled.connection.execute("UPDATE log_groups SET hashes = ? WHERE first = 15", [bytes(hashes)])
    assert refused(filled) == ("ENTRY_CHANGED", 12, 15)


def test_a_dropped_payload_without_a_prune(filled):
    filled.connection.execute("UPDATE log_groups SET payloads = NULL WHERE first = 12")
    assert refused(filled) == ("PAYLOAD_MISSING", 12)
    filled.connection.execute("UPDATE log_groups SET payloads = NULL WHERE first < 12")
    assert refused(filled) == ("PAYLOAD_MISSING", 0)


def test_a_wrong_key(filled):
    other = Signer(filled.signer.key.name, Ed25519PrivateKey.generate())
    assert verify_reason(filled, [other.key]) == "SIGNATURE_MISSING"
    forged = NoteKey(filled.signer.key.name, other.key.public_key)
    assert verify_reason(filled, [forged]) == "SIGNATURE_MISSING"


def verify_reason(filled, keys):
    with pytest.raises(IntegrityError) as error:
        verify(filled.connection, keys)
    return error.value.reason


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        (lambda f, note: note.replace("\n\n", "\n"), "NOTE_MALFORMED"),
        (lambda f, note: note.replace("\n20\n", "\n21\n"), "SIGNATURE_INVALID"),
        (lambda f, note: f.signer.sign(Checkpoint(f.signer.key.name, 20, bytes(32))), "ROOT_MISMATCH"),
        (lambda f, note: f.signer.sign(Checkpoint(f.signer.key.name, 21, bytes(32))), "NOTE_MALFORMED"),
        (
            lambda f, note: Signer("other.example", Ed25519PrivateKey.generate()).sign(
                Checkpoint("other.example", 20, bytes(32))
            ),
            "SIGNATURE_MISSING",
        ),
    ],
    ids=["malformed", "changed", "of another root", "of another size", "of another log"],
)
def test_a_bad_checkpoint(filled, note, reason):
    (before,) = filled.connection.execute("SELECT note FROM log_checkpoints WHERE size = 20").fetchone()
    filled.connection.execute("UPDATE log_checkpoints SET note = ? WHERE size = 20", [note(filled, before)])
    assert refused(filled)[0] == reason


@pytest.mark.parametrize("store_url", [""])  # what follows is about a file
def test_a_truncated_file(filled, database, tmp_path):
    filled.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = tmp_path / "cut.db"
    whole = database.path.read_bytes()
    copy.write_bytes(whole[: len(whole) // 2])
    assert_damage(copy, filled)


def assert_damage(path, filled):
    """Verification of this file refuses it, or everything in it reads as it was."""
    before = contents(filled.connection)
    try:
        connection = Database(path, []).connect(read_only=True)
    except Unavailable:
        return
    try:
        verify(connection, filled.keys)
    except IntegrityError:
        return
    else:
        assert contents(connection) == before
    finally:
        connection.close()


def contents(connection):
    return (
        rows(connection),
        connection.execute("SELECT * FROM log_head").fetchall(),
        list(store.checkpoints(connection, 0, 10**4)),
    )


@pytest.mark.parametrize("store_url", [""])  # what follows is about a file
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_random_bytes_of_the_file(filled, database, tmp_path, data):
    filled.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = bytearray(database.path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] ^= data.draw(st.integers(1, 255))
    copy = tmp_path / "flipped.db"
    for leftover in tmp_path.glob("flipped.db*"):
        leftover.unlink()
    copy.write_bytes(whole)
    assert_damage(copy, filled)


@pytest.mark.parametrize("store_url", [""])  # what follows is about a file
def test_an_old_database_restored(filled, database, write, tmp_path):
    filled.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    backup = tmp_path / "backup.db"
    shutil.copy(database.path, backup)
    trusted = open_checkpoint(write(5), filled.keys)
    connection = Database(backup, []).connect()
    try:
        assert verify(connection, filled.keys).size == 40
        with pytest.raises(IntegrityError) as error:
            verify(connection, filled.keys, trusted=trusted)
    finally:
        connection.close()
    assert error.value.reason == "LOG_ROLLED_BACK"
