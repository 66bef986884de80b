"""A start without the right keys is refused, and changes nothing."""

from __future__ import annotations

import pytest
from servers import open_engine

from segserver.engine.keys import create_keyring
from segserver.errors import FailedPrecondition
from segserver.privacy.keyring import create_file, new_keyring

CATALOG = {"catalog.yaml": "purposes: {care: {legal_basis: contract, categories: [demographic]}}"}


def remove(keyring):
    keyring.unlink()


def exchange(keyring):
    keyring.unlink()
    create_file(keyring, new_keyring())


def expose(keyring):
    keyring.chmod(0o644)


def damage(keyring):
    keyring.write_bytes(keyring.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (remove, "KEYRING_MISSING"),
        (exchange, "KEYRING_WRONG"),
        (expose, "KEYRING_EXPOSED"),
        (damage, "KEYRING_DAMAGED"),
    ],
)
def test_a_missing_or_wrong_key_is_a_refusal_to_start(tmp_path, change, reason):
    engine = open_engine(tmp_path, CATALOG)
    keyring, database = engine.config.keyring_path, engine.config.database_path
    engine.close()
    before = database.read_bytes()
    change(keyring)
    with pytest.raises(FailedPrecondition) as caught:
        open_engine(tmp_path, CATALOG)
    assert caught.value.reason == reason
    assert database.read_bytes() == before
    if change is remove:
        with pytest.raises(FailedPrecondition):
            create_keyring(engine.config, engine.installed)
        assert not keyring.exists()
