"""Proofs that leave the house: one file that shows an entry to anyone who has the log's public key.

The form is C2SP's (c2sp.org/tlog-proof): a first line, the entry's bytes as ``extra`` in base64, its log
index, the hashes from the leaf to the root, an empty line, and the signed checkpoint.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segserver.audit import merkle
from segserver.audit.entry import PAYLOAD_BYTES_MAX, Entry, decode
from segserver.audit.log import reader
from segserver.audit.note import (
    NOTE_CHARACTERS_MAX,
    Checkpoint,
    NoteKey,
    decode_base64,
    is_decimal,
    open_checkpoint,
)
from segserver.errors import FailedPrecondition, IntegrityError, NotFound
from segserver.storage import log as store

if TYPE_CHECKING:
    from segserver.storage.contract import Connection

FIRST_LINE = "c2sp.org/tlog-proof@v1"
PROOF_CHARACTERS_MAX = NOTE_CHARACTERS_MAX + 2 * PAYLOAD_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Proven:
    """What a verified proof shows: these bytes are entry ``log_index`` of the log in ``checkpoint``."""

    log_index: int
    payload: bytes
    entry: Entry
    checkpoint: Checkpoint


def prove(connection: Connection, log_index: int, keys: Sequence[NoteKey]) -> str:
    """The proof file of one entry, under the newest checkpoint.

    Raises :class:`NotFound` for an entry that is not there, :class:`FailedPrecondition` for one whose
    payload was pruned or that no checkpoint covers yet (a second later one does), :class:`IntegrityError`
    when the proof would not verify.
    """
    with store.reading():
        row = store.payload(connection, log_index)
        note = store.newest_checkpoint(connection)
        if row is None:
            raise NotFound(f"the audit log has no entry {log_index}", reason="NO_SUCH_ENTRY")
        if row[0] is None:
            raise FailedPrecondition(f"entry {log_index} was pruned", reason="ENTRY_PRUNED")
        size = open_checkpoint(note, keys).size if note is not None else 0
        if note is None or size <= log_index:
            raise FailedPrecondition(
                f"no checkpoint covers entry {log_index} yet; try again in a second", reason="NOT_SIGNED_YET"
            )
        path = merkle.prove_inclusion(log_index, size, reader(connection))
    lines = [FIRST_LINE, f"extra {base64.b64encode(row[0]).decode()}", f"index {log_index}"]
    lines += [base64.b64encode(sibling).decode() for sibling in path]
    proof = "\n".join([*lines, "", note])
    verify_proof(proof, keys)
    return proof


def verify_proof(proof: str, keys: Sequence[NoteKey]) -> Proven:
    """What a proof file shows, with nothing but the file and the log's public keys.

    Raises :class:`IntegrityError` for a malformed file, a checkpoint that is not signed or of another log,
    and a path that does not lead from this entry to the signed root.
    """
    if len(proof) > PROOF_CHARACTERS_MAX:
        raise IntegrityError("the proof is too long", reason="PROOF_MALFORMED")
    head, separator, note = proof.partition("\n\n")
    lines = head.split("\n")
    if (
        not separator
        or len(lines) < 3
        or lines[0] != FIRST_LINE
        or not lines[1].startswith("extra ")
        or not lines[2].startswith("index ")
        or not is_decimal(lines[2][6:])
    ):
        raise IntegrityError("the proof is malformed", reason="PROOF_MALFORMED")
    payload = decode_base64(lines[1][6:])
    log_index = int(lines[2][6:])
    checkpoint = open_checkpoint(note, keys)
    path = [decode_base64(line) for line in lines[3:]]
    merkle.verify_inclusion(log_index, checkpoint.size, merkle.leaf_hash(payload), path, checkpoint.root)
    return Proven(log_index, payload, decode(payload), checkpoint)


def prove_growth(connection: Connection, old_size: int, new_size: int) -> list[bytes]:
    """The consistency proof between two sizes of the log; empty from size 0, which needs none."""
    if old_size == 0:
        return []
    with store.reading():
        return merkle.prove_consistency(old_size, new_size, reader(connection))
