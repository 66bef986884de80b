"""The tree against foreign vectors, against the recursive definition, and against every small change."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.audit import merkle
from segserver.errors import IntegrityError, InvalidInput

LEAVES = [merkle.leaf_hash(b"entry %d" % index) for index in range(300)]


class Stored:
    """The tree as the store keeps it: with each leaf, the hashes that it carries."""

    def __init__(self) -> None:
        frontier = merkle.Frontier()
        self.rows = [frontier.append(leaf) for leaf in LEAVES]

    def read(self, nodes):
        hashes = []
        for node in nodes:
            row, offset = merkle.stored_at(node)
            hashes.append(self.rows[row][offset : offset + merkle.HASH_BYTES])
        return hashes


STORED = Stored()


@cache
def defined_root(low: int, high: int) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if high - low == 1:
        return LEAVES[low]
    split = 1
    while split * 2 < high - low:
        split *= 2
    return merkle.node_hash(defined_root(low, low + split), defined_root(low + split, high))


def vectors(folder: Path):
    files = sorted(folder.rglob("*.json"))
    assert len(files) > 50
    for file in files:
        case = json.loads(file.read_text())
        case["proof"] = [base64.b64decode(item) for item in case["proof"] or []]
        yield file, case


def check(file, wanted_error, verify, *args):
    try:
        verify(*args)
    except IntegrityError:
        assert wanted_error, file
    else:
        assert not wanted_error, file


def test_foreign_inclusion_vectors(shared_vectors):
    for file, case in vectors(shared_vectors / "merkle_inclusion"):
        leaf, root = (base64.b64decode(case[key] or "") for key in ("leafHash", "root"))
        check(
            file,
            case["wantErr"],
            merkle.verify_inclusion,
            case["leafIdx"],
            case["treeSize"],
            leaf,
            case["proof"],
            root,
        )


def test_foreign_consistency_vectors(shared_vectors):
    for file, case in vectors(shared_vectors / "merkle_consistency"):
        old, new = (base64.b64decode(case[key] or "") for key in ("root1", "root2"))
        check(
            file,
            case["wantErr"],
            merkle.verify_consistency,
            case["size1"],
            case["size2"],
            case["proof"],
            old,
            new,
        )


def test_roots_are_those_of_the_definition():
    frontier = merkle.Frontier()
    assert frontier.root() == merkle.EMPTY_ROOT == merkle.root(0, STORED.read)
    for size, leaf in enumerate(LEAVES, start=1):
        frontier.append(leaf)
        assert frontier.root() == defined_root(0, size) == merkle.root(size, STORED.read)
        assert merkle.Frontier.read(size, STORED.read).hashes == frontier.hashes


def test_an_append_stores_fewer_than_two_hashes_on_average():
    assert sum(map(len, STORED.rows)) < 2 * merkle.HASH_BYTES * len(LEAVES)


@st.composite
def places(draw):
    size = draw(st.integers(1, len(LEAVES)))
    return draw(st.integers(0, size - 1)), size


@given(places())
def test_every_inclusion_proof_verifies(place):
    index, size = place
    proof = merkle.prove_inclusion(index, size, STORED.read)
    assert len(proof) <= (size - 1).bit_length()
    merkle.verify_inclusion(index, size, LEAVES[index], proof, defined_root(0, size))


@given(places())
def test_every_consistency_proof_verifies(place):
    old, new = place[0] + 1, place[1]
    proof = merkle.prove_consistency(old, new, STORED.read)
    merkle.verify_consistency(old, new, proof, defined_root(0, old), defined_root(0, new))


@given(places(), st.data())
def test_no_changed_inclusion_proof_verifies(place, data):
    index, size = place
    proof = merkle.prove_inclusion(index, size, STORED.read)
    leaf, root = LEAVES[index], defined_root(0, size)
    parts = [leaf, root, *proof]
    which = data.draw(st.integers(0, len(parts) - 1))
    bit = data.draw(st.integers(0, 255))
    changed = bytearray(parts[which])
    changed[bit // 8] ^= 1 << bit % 8
    parts[which] = bytes(changed)
    with pytest.raises(IntegrityError):
        merkle.verify_inclusion(index, size, parts[0], parts[2:], parts[1])
    other = data.draw(st.integers(0, size).filter(lambda i: i != index))
    with pytest.raises(IntegrityError):
        merkle.verify_inclusion(other, size, leaf, proof, root)
    with pytest.raises(IntegrityError):
        merkle.verify_inclusion(index, size, leaf, [*proof, leaf], root)


@given(places(), st.data())
def test_no_changed_consistency_proof_verifies(place, data):
    old, new = place[0] + 1, place[1]
    proof = merkle.prove_consistency(old, new, STORED.read)
    parts = [defined_root(0, old), defined_root(0, new), *proof]
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = merkle.leaf_hash(parts[which])
    with pytest.raises(IntegrityError):
        merkle.verify_consistency(old, new, parts[2:], parts[0], parts[1])
    with pytest.raises(IntegrityError):
        merkle.verify_consistency(old, new, [*proof, parts[0]], defined_root(0, old), defined_root(0, new))


def test_what_can_not_be_proved_is_refused():
    for index, size in [(-1, 3), (3, 3), (0, 0)]:
        with pytest.raises(InvalidInput):
            merkle.prove_inclusion(index, size, STORED.read)
    for old, new in [(0, 3), (4, 3)]:
        with pytest.raises(InvalidInput):
            merkle.prove_consistency(old, new, STORED.read)
    with pytest.raises(InvalidInput):
        merkle.Frontier(3, [b""])
