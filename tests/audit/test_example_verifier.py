"""The verifier in examples/: a stranger to segserver that must come to the same verdict."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segserver.audit.entry import encode
from segserver.audit.note import Signer
from segserver.audit.proof import prove, verify_proof
from segserver.errors import IntegrityError

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "verify_proof.py"
main = runpy.run_path(str(EXAMPLE))["main"]


@pytest.fixture
def key_file(tmp_path, signer):
    path = tmp_path / "log.key"
    path.write_text(f"{signer.key}\n")
    return path


@pytest.fixture
def judge(tmp_path, key_file):
    def judge(proof: str) -> int:
        path = tmp_path / "entry.tlog-proof"
        path.write_text(proof, encoding="utf-8")
        return main(str(path), str(key_file))

    return judge


def test_it_is_short_and_a_stranger():
    source = EXAMPLE.read_text()
    assert len(source.splitlines()) <= 80
    assert "import segserver" not in source
    assert "from segserver" not in source


@pytest.mark.parametrize("log_index", [0, 1, 6, 20, 31, 32])
def test_it_accepts_our_proofs(filled, judge, make_entry, capsys, log_index):
    assert judge(prove(filled.connection, log_index, filled.keys)) == 0
    assert capsys.readouterr().out == encode(make_entry(log_index)).decode() + "\n"


def test_it_refuses_another_key(filled, judge, key_file):
    proof = prove(filled.connection, 3, filled.keys)
    key_file.write_text(str(Signer(filled.signer.key.name, Ed25519PrivateKey.generate()).key))
    assert judge(proof) == 1
    key_file.write_text("nonsense")
    assert judge(proof) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.data())
def test_it_accepts_nothing_that_we_refuse(filled, judge, data):
    proof = prove(filled.connection, 20, filled.keys)
    place = data.draw(st.integers(0, len(proof) - 1))
    character = data.draw(st.characters(exclude_categories=["Cs"], exclude_characters="\r"))
    changed = proof[:place] + character + proof[place + 1 :]
    if changed == proof:
        return
    with pytest.raises(IntegrityError):
        verify_proof(changed, filled.keys)
    assert judge(changed) == 1
