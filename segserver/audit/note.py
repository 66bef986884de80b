"""Signed notes and checkpoints, as C2SP specifies them (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

A note is text, an empty line, and signature lines. A checkpoint is a note whose text is the log's origin,
its size and its root. The origin is the name of the key that signs. Ed25519 signs without a nonce of ours,
and signs nothing but this: a note's text can't be taken for another protocol's message, since the key has
no other use.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from segserver.audit.merkle import HASH_BYTES
from segserver.errors import IntegrityError, InvalidInput

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519 = b"\x01"
"""The signature type byte of Ed25519."""
KEY_ID_BYTES = 4
NOTE_CHARACTERS_MAX = 1_000_000
SIGNATURES_MAX = 64

_SIGNATURE_LINE = re.compile(r"\u2014 (\S+) (\S+)")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


def check_name(name: str) -> str:
    """A key name that can stand in a note.

    Raises :class:`InvalidInput` for an empty one, spaces, or a plus sign.
    """
    if not name or "+" in name or len(name.split()) != 1 or name != name.strip() or not name.isprintable():
        raise InvalidInput.of(
            "name", "a log's name is not empty and has no spaces, plus or control characters"
        )
    return name


def is_decimal(text: str) -> bool:
    """Whether this is a number below 10**19 as a checkpoint writes it: ASCII, without leading zeros."""
    return _DECIMAL.fullmatch(text) is not None


def decode_base64(text: str) -> bytes:
    """Standard base64 in its one canonical form. Raises :class:`IntegrityError` for anything else."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or base64.b64encode(data).decode() != text:
        raise IntegrityError("the note is malformed: base64", reason="NOTE_MALFORMED")
    return data


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key that signs notes, with its name."""

    name: str
    public_key: bytes

    @property
    def id(self) -> bytes:
        """The four bytes that stand before each signature: a hint which key to try, not a proof."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        """The form in which officers hand the key around: ``name+id+key``."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public_key).decode()}"

    @classmethod
    def parse(cls, text: str) -> NoteKey:
        """Reads what ``str`` wrote. Raises :class:`InvalidInput` for anything else."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            data = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if data[:1] != ED25519 or len(data) != 33:
            raise InvalidInput.of(
                "key", "expected name+id+base64 of an Ed25519 key", reason="NOTE_KEY_INVALID"
            )
        key = cls(check_name(name), data[1:])
        if key.id.hex() != key_id:
            raise InvalidInput.of("key", "the id is not that of this name and key", reason="NOTE_KEY_INVALID")
        return key


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log says about itself: its name, how many entries it has, and their root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint in a note's text. Raises :class:`IntegrityError` when it is none."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not lines[0] or not is_decimal(lines[1]):
            raise IntegrityError("the checkpoint is malformed", reason="NOTE_MALFORMED")
        root = decode_base64(lines[2])
        if len(root) != HASH_BYTES:
            raise IntegrityError("the checkpoint's root is not 32 bytes long", reason="NOTE_MALFORMED")
        return cls(lines[0], int(lines[1]), root)


class Signer:
    """A log's name with its private key."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        self.key = NoteKey(check_name(name), private_key.public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint) -> str:
        """The signed note of a checkpoint of this log."""
        if checkpoint.origin != self.key.name:
            raise InvalidInput("a log signs its own checkpoints only")
        text = checkpoint.text()
        signature = base64.b64encode(self.key.id + self._private_key.sign(text.encode())).decode()
        return f"{text}\n\u2014 {self.key.name} {signature}\n"


def open_note(note: str, keys: Sequence[NoteKey]) -> str:
    """The text of a note that one of these keys signed.

    Signatures of other keys are passed over, as the specification says, so that witnesses can add theirs.
    Raises :class:`IntegrityError` for a malformed note, for a signature of a known key that does not
    verify, and for a note that none of the keys signed.
    """
    text, separator, tail = note.rpartition("\n\n")
    text += "\n"
    lines = tail.split("\n")
    if (
        not separator
        or len(note) > NOTE_CHARACTERS_MAX
        or lines.pop() != ""
        or not 1 <= len(lines) <= SIGNATURES_MAX
        or any(character < " " and character != "\n" for character in note)
    ):
        raise IntegrityError("the note is malformed", reason="NOTE_MALFORMED")
    known = {(key.name, key.id): key for key in keys}
    signed = False
    for line in lines:
        parts = _SIGNATURE_LINE.fullmatch(line)
        if parts is None:
            raise IntegrityError("the note is malformed: signature line", reason="NOTE_MALFORMED")
        signature = decode_base64(parts[2])
        if len(signature) <= KEY_ID_BYTES:
            raise IntegrityError("the note is malformed: signature", reason="NOTE_MALFORMED")
        key = known.get((parts[1], signature[:KEY_ID_BYTES]))
        if key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature[KEY_ID_BYTES:], text.encode())
        except (InvalidSignature, ValueError, UnicodeEncodeError):
            raise IntegrityError(
                f"the signature by {key.name} does not verify", reason="SIGNATURE_INVALID"
            ) from None
        signed = True
    if not signed:
        raise IntegrityError(
            "the note is not signed by a key that is trusted here", reason="SIGNATURE_MISSING"
        )
    return text


def open_checkpoint(note: str, keys: Sequence[NoteKey]) -> Checkpoint:
    """The checkpoint in a signed note. Its origin must be the name of one of the keys.

    Raises :class:`IntegrityError` as :func:`open_note` does, and for the checkpoint of another log.
    """
    checkpoint = Checkpoint.parse(open_note(note, keys))
    if checkpoint.origin not in {key.name for key in keys}:
        raise IntegrityError("the checkpoint is of another log", reason="OTHER_LOG")
    return checkpoint
