"""The Merkle tree of RFC 6962 and RFC 9162, section 2.1: hashes, roots, proofs.

A *node* is a complete subtree, named ``(level, n)``: it covers the ``2**level`` leaves from ``n << level``
on. A node never changes once its last leaf is there, so it is stored with that leaf: leaf ``i`` carries its
own hash, then the hashes of the nodes that it completes, lowest first (:meth:`Frontier.append`). That is
one node for each leaf on average (Crosby and Wallach, "Efficient data structures for tamper-evident
logging", section 3.3), and every root and every proof is made of at most ``2 * log2(size)`` stored hashes.

What does not verify raises :class:`IntegrityError`; nothing here returns a bool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from operator import add
from typing import TypeAlias

from segserver.errors import IntegrityError, InvalidInput

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""

Node: TypeAlias = tuple[int, int]
NodeReader: TypeAlias = Callable[[Sequence[Node]], Sequence[bytes]]
"""Reads the hashes of these nodes, in this order, from where :meth:`Frontier.append` left them."""


_leaf_hasher = sha256(b"\x00").copy
"""A hash that has taken the prefix already: copying it costs less than a new one and joining the bytes."""


def leaf_hash(payload: bytes) -> bytes:
    """The hash of one entry's bytes; the prefix keeps a leaf from passing as a node."""
    hasher = _leaf_hasher()
    hasher.update(payload)
    return hasher.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node over two neighbours."""
    return sha256(b"\x01" + left + right).digest()


def stored_at(node: Node) -> tuple[int, int]:
    """Where a node's hash is kept: the leaf that completes it, and the byte offset in what that leaf
    carries.
    """
    level, n = node
    return ((n + 1) << level) - 1, level * HASH_BYTES


class Frontier:
    """The right edge of a growing tree: the hashes of its largest complete subtrees, from left to right.

    One for each bit set in ``size``; enough to append and to tell the root without reading anything else.
    """

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if len(hashes) != size.bit_count():
            raise InvalidInput(f"a frontier of size {size} has {size.bit_count()} hashes, not {len(hashes)}")
        self.size = size
        self.hashes = list(hashes)

    @classmethod
    def read(cls, size: int, read: NodeReader) -> Frontier:
        """The frontier of a stored tree."""
        return cls(size, read(subtrees(0, size)))

    def append(self, leaf: bytes) -> bytes:
        """Adds a leaf hash; returns the hashes to store with it: its own, then each node it completes."""
        return self.extend((leaf,))[0]

    def extend(self, leaves: Iterable[bytes]) -> list[bytes]:
        """Adds leaf hashes in order; returns what to store with each.

        It works level by level, not leaf by leaf: many nodes for each step of the interpreter.
        """
        stored = list(leaves)
        nodes, first, level = stored.copy(), self.size, 0
        rest = []
        while nodes:
            if first & 1:
                nodes.insert(0, self.hashes.pop())
                first -= 1
            if len(nodes) & 1:
                rest.append(nodes.pop())
            nodes = [
                sha256(b"\x01" + left + right).digest()
                for left, right in zip(nodes[::2], nodes[1::2], strict=True)
            ]
            first, level = first >> 1, level + 1
            completing = slice(((first + 1) << level) - 1 - self.size, None, 1 << level)
            stored[completing] = map(add, stored[completing], nodes)
        self.hashes += reversed(rest)
        self.size += len(stored)
        return stored

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT

    def copy(self) -> Frontier:
        """An independent one."""
        return Frontier(self.size, self.hashes)


def subtrees(low: int, high: int) -> list[Node]:
    """The nodes that cover the leaves ``[low, high)``, from left to right.

    ``low`` must be a multiple of the largest power of two that is at most ``high - low``, as it is for
    every range that RFC 6962 splits a tree into.
    """
    nodes = []
    while low < high:
        level = (high - low).bit_length() - 1
        nodes.append((level, low >> level))
        low += 1 << level
    return nodes


def root(size: int, read: NodeReader) -> bytes:
    """The root of the first ``size`` leaves of a stored tree."""
    return _read_ranges([(0, size)], read)[0] if size else EMPTY_ROOT


def prove_inclusion(index: int, size: int, read: NodeReader) -> list[bytes]:
    """The path from leaf ``index`` to the root of the first ``size`` leaves, leaf's sibling first (RFC
    9162, 2.1.3.1).
    """
    if not 0 <= index < size:
        raise InvalidInput(f"a tree of {size} leaves has no leaf {index}", reason="NO_SUCH_ENTRY")
    ranges = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return _read_ranges(ranges[::-1], read)


def prove_consistency(old_size: int, new_size: int, read: NodeReader) -> list[bytes]:
    """The proof that the first ``old_size`` leaves are a prefix of the first ``new_size`` (RFC 9162,
    2.1.4.1).
    """
    if not 1 <= old_size <= new_size:
        raise InvalidInput(f"no consistency proof leads from size {old_size} to size {new_size}")
    ranges = []
    low, high = 0, new_size
    while old_size != high:
        middle = low + _split(high - low)
        if old_size <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    if low:
        ranges.append((low, high))
    return _read_ranges(ranges[::-1], read)


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], expected_root: bytes
) -> None:
    """Raises :class:`IntegrityError` unless ``leaf`` is at ``index`` in the tree with this size and root.

    RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise IntegrityError(f"a tree of {size} leaves has no leaf {index}", reason="PROOF_INVALID")
    _check_lengths([leaf, *proof])
    node, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise IntegrityError("the inclusion proof is too long", reason="PROOF_INVALID")
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            shift = _trailing_zeros(node)
            node, last = node >> shift, last >> shift
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise IntegrityError("the inclusion proof is too short", reason="PROOF_INVALID")
    if computed != expected_root:
        raise IntegrityError("the inclusion proof leads to another root", reason="PROOF_INVALID")


def verify_consistency(
    old_size: int, new_size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Raises :class:`IntegrityError` unless the old tree is a prefix of the new one.

    RFC 9162, section 2.1.4.2. A tree of size 0 proves nothing about a later one, so it is refused here.
    """
    if not 1 <= old_size <= new_size:
        raise IntegrityError(f"a log can't grow from size {old_size} to {new_size}", reason="PROOF_INVALID")
    if old_size == new_size:
        if proof or old_root != new_root:
            raise IntegrityError("two trees of one size differ", reason="PROOF_INVALID")
        return
    if not proof:
        raise IntegrityError("the consistency proof is empty", reason="PROOF_INVALID")
    _check_lengths(proof)
    shift = _trailing_zeros(old_size)
    node, last = (old_size - 1) >> shift, (new_size - 1) >> shift
    # A complete old tree is itself the first node of the path, and the proof does not repeat it.
    first, path = (proof[0], proof[1:]) if node else (old_root, proof)
    old = new = first
    for sibling in path:
        if last == 0:
            raise IntegrityError("the consistency proof is too long", reason="PROOF_INVALID")
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            shift = _trailing_zeros(node)
            node, last = node >> shift, last >> shift
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise IntegrityError("the consistency proof is too short", reason="PROOF_INVALID")
    if old != old_root or new != new_root:
        raise IntegrityError("the consistency proof leads to other roots", reason="PROOF_INVALID")


def _check_lengths(hashes: Sequence[bytes]) -> None:
    """Refuses what is no SHA-256 hash: another length, joined to its neighbour, could pass for others."""
    if any(len(item) != HASH_BYTES for item in hashes):
        raise IntegrityError(f"a hash of the proof is not {HASH_BYTES} bytes long", reason="PROOF_INVALID")


def _split(width: int) -> int:
    """The largest power of two smaller than ``width``, where RFC 6962 splits a tree."""
    return int(1 << ((width - 1).bit_length() - 1))


def _trailing_zeros(number: int) -> int:
    """How often two divides ``number``; 0 for 0, whose path needs no shift."""
    return (number & -number).bit_length() - 1 if number else 0


def _fold(hashes: Sequence[bytes]) -> bytes:
    """The hash over neighbouring complete subtrees, each smaller than the one to its left."""
    *rest, folded = hashes
    for left in reversed(rest):
        folded = node_hash(left, folded)
    return folded


def _read_ranges(ranges: Sequence[tuple[int, int]], read: NodeReader) -> list[bytes]:
    """The hash over each range of leaves, with one call of ``read``."""
    needed = [subtrees(low, high) for low, high in ranges]
    hashes = iter(read([node for nodes in needed for node in nodes]))
    return [_fold([next(hashes) for _ in nodes]) for nodes in needed]
