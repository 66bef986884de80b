"""A database with subjects, and fresh keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from segserver.model import Caller, Role
from segserver.privacy.consent import Consents
from segserver.privacy.keyring import Keyring, new_keyring
from segserver.privacy.profiles import Profiles
from segserver.privacy.vault import Vault
from segserver.storage.consents import ConsentRecords
from segserver.storage.sqlite import Database
from segserver.storage.subjects import Subjects


@pytest.fixture(scope="session")
def keyring() -> Keyring:
    return new_keyring()


@pytest.fixture
def vault(keyring: Keyring) -> Vault:
    return Vault(keyring)


@pytest.fixture
def subjects() -> Subjects:
    return Subjects()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "segserver.db")


@pytest.fixture
def connection(database: Database):
    connection = database.connect()
    yield connection
    connection.close()


@pytest.fixture
def profiles(vault: Vault, subjects: Subjects) -> Profiles:
    return Profiles(vault, subjects)


@pytest.fixture
def ledger(vault: Vault, profiles: Profiles) -> Consents:
    return Consents(vault, profiles, ConsentRecords())


@pytest.fixture
def caller() -> Caller:
    return Caller("crm", frozenset({Role.EVALUATOR}), frozenset({"*"}))
