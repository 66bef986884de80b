"""Verifies an audit proof with nothing of segserver: python verify_proof.py ENTRY.tlog-proof KEY

KEY: a file with the log's public key (name+id+key), had from somewhere you trust. Prints the entry, or why
not. Forms: c2sp.org/tlog-proof, c2sp.org/tlog-checkpoint, c2sp.org/signed-note; hashing: RFC 6962, section
2.1.
"""

import base64
import sys
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def check(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(problem)


def unbase64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    check(base64.b64encode(data).decode() == text, "base64 is malformed")
    return data


def checkpoint(note: str, vkey: str) -> tuple[int, bytes]:
    """The size and root of the log, once the signature of the key in ``vkey`` verifies."""
    name, key_id, key = vkey.strip().split("+", 2)
    raw = unbase64(key)
    check(len(raw) == 33 and raw[0] == 1, "the key is no Ed25519 key")
    text, _, signatures = note.rpartition("\n\n")
    *lines, end = [line.split(" ") for line in signatures.split("\n")]
    known = [unbase64(data) for dash, signer, data in lines if (dash, signer) == ("\u2014", name)]
    signed = [data[4:] for data in known if data[:4].hex() == key_id]
    check(bool(signed) and end == [""], "the checkpoint is not signed by this key")
    for signature in signed:
        Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signature, f"{text}\n".encode())
    origin, size, root = text.split("\n")
    check((origin, size) == (name, str(int(size))), "the checkpoint is of another log, or malformed")
    return int(size), unbase64(root)


def root_from(index: int, size: int, entry: bytes, path: list[str]) -> bytes:
    """The root that the path leads to (RFC 9162, section 2.1.3.2)."""
    check(0 <= index < size, "the entry is outside the log")
    last, computed = size - 1, sha256(b"\x00" + entry).digest()
    for sibling in map(unbase64, path):
        check(last > 0 and len(sibling) == 32, "the path is malformed")
        if index & 1 or index == last:
            computed = sha256(b"\x01" + sibling + computed).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            computed = sha256(b"\x01" + computed + sibling).digest()
        index, last = index >> 1, last >> 1
    check(last == 0, "the path is too short")
    return computed


def main(proof_file: str, key_file: str) -> int:
    try:
        head, _, note = Path(proof_file).read_text(encoding="utf-8").partition("\n\n")
        first, extra, index, *path = head.split("\n")
        check((first, extra[:6]) == ("c2sp.org/tlog-proof@v1", "extra "), "this is not a proof")
        check(index == f"index {int(index[6:])}", "the index is malformed")
        entry = unbase64(extra[6:])
        size, root = checkpoint(note, Path(key_file).read_text())
        computed = root_from(int(index[6:]), size, entry, path)
        check(computed == root, "this entry is not in the log at this place")
    except (ValueError, OSError, InvalidSignature) as error:
        print(f"NOT PROVEN: {error or 'the signature does not verify'}", file=sys.stderr)
        return 1
    print(entry.decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
