"""Notes and checkpoints against the specification's own example, and against every small change."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from segserver.audit.note import Checkpoint, NoteKey, Signer, open_checkpoint, open_note
from segserver.errors import IntegrityError, InvalidInput, SegserverError

SIGNER = Signer("segserver.example/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = Signer("segserver.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
CHECKPOINT = Checkpoint(SIGNER.key.name, 12, sha256(b"x").digest())
NOTE = SIGNER.sign(CHECKPOINT)

GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""The test note of golang.org/x/mod/sumdb/note: made by another program, for another purpose."""


def test_a_foreign_note_opens():
    key = NoteKey.parse(GO_KEY)
    assert str(key) == GO_KEY
    assert open_note(GO_NOTE, [key]).endswith("what your problem is.\n")


def test_a_signed_checkpoint_opens():
    assert open_checkpoint(NOTE, [SIGNER.key]) == CHECKPOINT
    lines = NOTE.split("\n")
    assert lines[0] == SIGNER.key.name
    assert lines[1] == "12"
    assert base64.b64decode(lines[2]) == CHECKPOINT.root
    assert lines[4].startswith(f"\u2014 {SIGNER.key.name} ")


def test_keys_have_one_text_form():
    assert NoteKey.parse(str(SIGNER.key)) == SIGNER.key
    assert NoteKey.parse(f" {SIGNER.key}\n") == SIGNER.key


@pytest.mark.parametrize(
    "text", ["", "a", "a+b", "a+b+c", str(SIGNER.key)[:-1], "x" + str(SIGNER.key), "é+é+é"]
)
def test_malformed_keys_are_refused(text):
    with pytest.raises(InvalidInput):
        NoteKey.parse(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", " a", "a\n", "a\u2003b", "\x01"])
def test_names_that_can_not_stand_in_a_note_are_refused(name):
    with pytest.raises(InvalidInput):
        Signer(name, Ed25519PrivateKey.generate())


def test_other_signatures_are_passed_over():
    foreign = Signer("witness.example", Ed25519PrivateKey.generate())
    line = foreign.sign(Checkpoint("witness.example", 1, bytes(32))).splitlines()[-1]
    assert open_checkpoint(f"{NOTE}{line}\n", [SIGNER.key]) == CHECKPOINT


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        (OTHER.sign(CHECKPOINT), "SIGNATURE_MISSING"),
        (NOTE.replace("\n12\n", "\n13\n"), "SIGNATURE_INVALID"),
        (NOTE.replace("\n\n", "\n"), "NOTE_MALFORMED"),
        (NOTE.rstrip("\n"), "NOTE_MALFORMED"),
        (NOTE + "\n", "NOTE_MALFORMED"),
        (NOTE.split("\u2014")[0], "NOTE_MALFORMED"),
        (NOTE.replace("\u2014", "-"), "NOTE_MALFORMED"),
        (NOTE.replace("\u2014 ", "\u2014  "), "NOTE_MALFORMED"),
        (NOTE.replace("\n12\n", "\n12\r\n"), "NOTE_MALFORMED"),
        (NOTE + NOTE.splitlines()[-1] * 100 + "\n", "NOTE_MALFORMED"),
        (NOTE[:-3] + "\n", "NOTE_MALFORMED"),
        ("", "NOTE_MALFORMED"),
        (NOTE + "\u2014 x A\n", "NOTE_MALFORMED"),
        (NOTE + "\u2014 x AAAA\n", "NOTE_MALFORMED"),
    ],
)
def test_bad_notes_are_refused_by_name(note, reason):
    with pytest.raises(IntegrityError) as refused:
        open_checkpoint(note, [SIGNER.key])
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "o\n1\n",
        "o\n01\nAA==\n",
        "o\n-1\nAA==\n",
        "\n1\nAA==\n",
        "o\n1\nAA==\n",
        "o\n1\nAA==\nmore\n",
        "o\n1\n%\n",
    ],
)
def test_malformed_checkpoints_are_refused(text):
    with pytest.raises(IntegrityError):
        Checkpoint.parse(text)


def test_the_checkpoint_of_another_log_is_refused():
    other = Signer("other.example/log", Ed25519PrivateKey.generate())
    with pytest.raises(IntegrityError) as refused:
        open_checkpoint(other.sign(Checkpoint("other.example/log", 3, bytes(32))), [SIGNER.key])
    assert refused.value.reason == "SIGNATURE_MISSING"
    with pytest.raises(InvalidInput):
        SIGNER.sign(Checkpoint("other.example/log", 3, bytes(32)))


@given(st.integers(0, len(NOTE) - 1), st.characters(exclude_categories=["Cs"]))
def test_no_changed_note_shows_another_checkpoint(place, character):
    changed = NOTE[:place] + character + NOTE[place + 1 :]
    try:
        seen = open_checkpoint(changed, [SIGNER.key])
    except IntegrityError:
        return
    assert changed == NOTE
    assert seen == CHECKPOINT


@given(st.text(max_size=300))
def test_arbitrary_text_raises_one_error(text):
    for read in (lambda: open_note(text, [SIGNER.key]), lambda: NoteKey.parse(text)):
        with pytest.raises(SegserverError):
            read()
