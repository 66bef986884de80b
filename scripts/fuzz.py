"""Feeds mutated bytes to what reads text of strangers: rules, and the audit log's entries, notes and proofs.

Each may refuse with an error of its own; anything else that it raises is a finding, and so is hanging.
Atheris follows the code's branches and mutates what reaches new ones.

    python scripts/fuzz.py rules --runs 20000
    python scripts/fuzz.py audit --runs 50000
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

with atheris.instrument_imports(include=["segserver"]):
    from segserver.audit import entry, note, proof
    from segserver.errors import IntegrityError, InvalidInput, RuleError
    from segserver.rules import Environment

VARIABLES = {
    "age": "int",
    "income": "double",
    "country": "string",
    "member": "bool",
    "tags": "list(string)",
    "seen": "timestamp",
}
SIGNER = note.Signer("segserver/x", Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEY = SIGNER.key
NOTE = SIGNER.sign(note.Checkpoint("segserver/x", 1, bytes(32)))
SEEDS = {
    "rules": [
        b"age >= 18 && country in ['DE', 'AT']",
        b"tags.exists(t, t.startsWith('x')) || known(income)",
        b"seen > now - duration('24h') ? income / 2.0 > 1e3 : !member",
        b"country.matches('^[a-z]{2,9}$') && size(tags) > 3",
    ],
    "audit": [
        entry.encode(
            entry.Entry(time="2026-01-01T00:00:00.000000Z", kind=entry.Kind.EVALUATION, caller="shop")
        ),
        NOTE.encode(),
        str(SIGNER.key).encode(),
        f"c2sp.org/tlog-proof@v1\nindex 0\n\n{NOTE}".encode(),
    ],
}
ENVIRONMENT = Environment(VARIABLES)


def rules(data: bytes) -> None:
    """A rule compiles, or is refused with its place."""
    try:
        ENVIRONMENT.check(data.decode("utf-8", "replace"))
    except RuleError as error:
        if error.line < 1 or error.column < 1:
            raise AssertionError("a refusal without its place") from error


def audit(data: bytes) -> None:
    """Whatever was tampered with is refused as such."""
    text = data.decode("utf-8", "surrogateescape")
    attempts: list[Callable[[], object]] = [
        lambda: entry.decode(data),
        lambda: note.open_checkpoint(text, [KEY]),
        lambda: note.Checkpoint.parse(text),
        lambda: note.NoteKey.parse(text),
        lambda: proof.verify_proof(text, [KEY]),
    ]
    for attempt in attempts:
        try:
            attempt()
        except (IntegrityError, InvalidInput):
            continue


TARGETS = {"rules": rules, "audit": audit}


def main() -> None:
    """Reads the arguments; ends with an exit code other than 0 at the first finding."""
    parser = argparse.ArgumentParser(description="Feeds mutated bytes to what reads text of strangers.")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="segserver-fuzz-") as folder:
        for number, seed in enumerate(SEEDS[arguments.target]):
            Path(folder, f"seed-{number}").write_bytes(seed)
        options = [f"-runs={arguments.runs}", f"-seed={arguments.seed}", "-max_len=400", "-timeout=10"]
        options += ["-verbosity=0", f"-artifact_prefix={folder}/"]
        atheris.Setup([sys.argv[0], *options, folder], TARGETS[arguments.target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
