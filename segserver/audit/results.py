"""Results of a batch: each subject's is a leaf of a Merkle tree, whose root stands in the batch's entry.

A proof of one result leaves the house as one file: the leaf, its place among the leaves, the hashes from it
to the root in the entry, and behind an empty line the proof of that entry (:mod:`segserver.audit.proof`).
Whoever has the log's public key can verify it, offline.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from segserver.audit import merkle
from segserver.audit.entry import Entry
from segserver.audit.note import NoteKey, decode_base64, is_decimal
from segserver.audit.proof import PROOF_CHARACTERS_MAX, Proven, verify_proof
from segserver.errors import IntegrityError

FIRST_LINE = "segserver-result-proof v1"
LEAF_BYTES_MAX = 16 * 1024 * 1024
LETTERS: Mapping[str, str] = {"M": "member", "N": "not_member", "U": "unknown", "W": "withheld"}
"""How a leaf writes outcomes, and how an entry names them."""


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stood in the way of settling one segment; the fields are those of an answer's result."""

    segment: str
    missing: tuple[str, ...] = ()
    withheld: tuple[tuple[str, str], ...] = ()
    """Attribute and reason code."""
    reason: str = ""
    failed_traits: tuple[str, ...] = ()
    human_review: bool = False


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One subject's part of a batch. Its stored bytes are the leaf, JSON with the fields in this order."""

    subject: str
    """The subject's audit token."""
    consent: str
    """The number of the consent record that was relied on; empty for none."""
    inputs: str
    """A keyed digest of the visible inputs, as in the entry of a single evaluation."""
    outcomes: str
    """One of :data:`LETTERS` for each segment of the entry, in the order of their ids."""
    stopped: str
    """Why nothing at all might be evaluated for this subject, a reason code; empty where something might."""
    error: str
    """Why there is no answer, the reason of an error; empty where there is one."""
    reasons: tuple[Reason, ...]
    """About each segment that is not settled, unless ``stopped`` tells it for all; and about each whose
    answer needs a person.
    """


_DECODER = msgspec.json.Decoder(Result)


@dataclass(frozen=True, slots=True)
class ProvenResult:
    """What a verified proof shows: that entry stands in the log, and this is a result under its root."""

    entry: Proven
    index: int
    payload: bytes
    result: Result
    outcomes: Mapping[str, str]
    """Segment id → outcome, named as in entries; empty where there is no answer."""


def results_root(leaves: Sequence[bytes]) -> bytes:
    """The root over the results of a batch, in this order."""
    frontier = merkle.Frontier()
    frontier.extend(map(merkle.leaf_hash, leaves))
    return frontier.root()


def prove_result(entry: Entry, entry_proof: str, leaves: Sequence[bytes], index: int) -> str:
    """The proof file of the result at ``index`` among the leaves of this batch.

    Raises :class:`IntegrityError` when the leaves do not give the root of the entry: the evidence is not
    what it was."""
    frontier = merkle.Frontier()
    stored = frontier.extend(map(merkle.leaf_hash, leaves))
    if len(leaves) != entry.subjects or frontier.root().hex() != entry.results_root:
        raise IntegrityError(
            "the evidence of this entry was changed: its rows do not give the entry's root",
            reason="EVIDENCE_DAMAGED",
        )

    def read(nodes: Sequence[merkle.Node]) -> list[bytes]:
        places = map(merkle.stored_at, nodes)
        return [stored[leaf][offset : offset + merkle.HASH_BYTES] for leaf, offset in places]

    path = merkle.prove_inclusion(index, len(leaves), read)
    lines = [FIRST_LINE, f"result {base64.b64encode(leaves[index]).decode()}", f"index {index}"]
    lines += [base64.b64encode(sibling).decode() for sibling in path]
    return "\n".join([*lines, "", entry_proof])


def is_result_proof(text: str) -> bool:
    """Whether this is a proof of a result, rather than one of an entry."""
    return text.startswith(FIRST_LINE + "\n")


def verify_result(proof: str, keys: Sequence[NoteKey]) -> ProvenResult:
    """What a proof file of a result shows, with nothing but the file and the log's public keys.

    Raises :class:`IntegrityError` for a malformed file, an entry whose own proof does not verify, and a
    result that is not under the entry's root.
    """
    if len(proof) > PROOF_CHARACTERS_MAX + 2 * LEAF_BYTES_MAX:
        raise IntegrityError("the proof is too long", reason="PROOF_MALFORMED")
    head, separator, entry_proof = proof.partition("\n\n")
    lines = head.split("\n")
    if (
        not separator
        or len(lines) < 3
        or lines[0] != FIRST_LINE
        or not lines[1].startswith("result ")
        or not lines[2].startswith("index ")
        or not is_decimal(lines[2][6:])
    ):
        raise IntegrityError("the proof is malformed", reason="PROOF_MALFORMED")
    proven = verify_proof(entry_proof, keys)
    payload, index = decode_base64(lines[1][7:]), int(lines[2][6:])
    path = [decode_base64(line) for line in lines[3:]]
    root = _root(proven.entry)
    merkle.verify_inclusion(index, proven.entry.subjects, merkle.leaf_hash(payload), path, root)
    try:
        result = _DECODER.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise IntegrityError("a leaf is no result of a known form", reason="PROOF_MALFORMED") from None
    return ProvenResult(proven, index, payload, result, _outcomes(proven.entry, result))


def _root(entry: Entry) -> bytes:
    try:
        return bytes.fromhex(entry.results_root)
    except ValueError:
        raise IntegrityError("the entry's root is no hash", reason="PROOF_MALFORMED") from None


def _outcomes(entry: Entry, result: Result) -> dict[str, str]:
    if result.error:
        return {}
    lists = entry.segments
    segments = sorted([*lists.member, *lists.not_member, *lists.unknown, *lists.withheld, *lists.mixed])
    if len(segments) != len(result.outcomes) or not LETTERS.keys() >= set(result.outcomes):
        raise IntegrityError("the outcomes are not those of the entry's segments", reason="PROOF_MALFORMED")
    return {segment: LETTERS[letter] for segment, letter in zip(segments, result.outcomes, strict=True)}
