from __future__ import annotations

import pytest

from segserver.errors import Conflict, FailedPrecondition
from segserver.privacy.keyring import Keyring, check_keyring, load_file, new_keyring
from segserver.privacy.keys import REWRAP_ROWS, KeyProvider, Keys, KeyStatus, choose, file_provider
from segserver.privacy.profiles import Profiles
from segserver.privacy.testing import check_key_provider
from segserver.privacy.vault import Vault


def key(number: int) -> bytes:
    return b"\x01" + number.to_bytes(32)


@pytest.fixture
def provider(tmp_path) -> KeyProvider:
    provider = file_provider(tmp_path / "keyring.json")
    provider.create(new_keyring())
    return provider


@pytest.fixture
def process(provider, subjects):
    """What a process has: a vault that read the keyring at its start, profiles, and keys."""

    def start() -> tuple[Profiles, Keys]:
        vault = Vault(provider.load(), provider.load)
        return Profiles(vault, subjects), Keys(provider, vault, subjects)

    return start


def fill(profiles: Profiles, connection, numbers) -> None:
    connection.execute("BEGIN")
    for number in numbers:
        profiles.merge(key(number), {"income": number}, 1)(connection)
    connection.execute("COMMIT")


def test_rotation_wraps_again_resumes_and_retires(process, connection, provider):
    profiles, keys = process()
    fill(profiles, connection, range(REWRAP_ROWS + 7))
    sealed = connection.execute("SELECT profile FROM subjects ORDER BY 1").fetchall()
    assert keys.rotate()(connection) == 2
    fill(profiles, connection, [10_000])
    assert keys.status(connection) == [KeyStatus(1, False, REWRAP_ROWS + 7), KeyStatus(2, True, 1)]
    assert keys.rewrap(connection) == REWRAP_ROWS
    profiles, keys = process()  # as after a kill: what remains is in the rows
    assert not keys.is_wrapped(connection)
    with pytest.raises(FailedPrecondition) as caught:
        keys.retire(1)(connection)
    assert caught.value.reason == "KEY_VERSION_IN_USE"
    assert keys.rewrap(connection) == 7
    assert keys.is_wrapped(connection)
    assert keys.rewrap(connection) == 0
    keys.retire(1)(connection)
    keys.drop(connection, 1)
    assert keys.status(connection) == [KeyStatus(2, True, REWRAP_ROWS + 8)]
    assert (
        sealed
        == connection.execute(
            "SELECT profile FROM subjects WHERE subject_key != ? ORDER BY 1", (key(10_000),)
        ).fetchall()
    )
    for profile in (process()[0], profiles):
        assert profile.require(connection, key(3)).profile.values == {"income": 3}


def test_a_killed_rewrap_loses_nothing(process, connection):
    profiles, keys = process()
    fill(profiles, connection, range(9))
    keys.rotate()(connection)
    connection.execute("BEGIN")
    keys.rewrap(connection)
    connection.execute("ROLLBACK")
    assert [status.data_keys for status in keys.status(connection)] == [9, 0]
    assert profiles.require(connection, key(1)).profile.values == {"income": 1}


def test_other_processes_follow_a_rotation(process, connection):
    stale, _ = process()
    profiles, keys = process()
    fill(profiles, connection, [1])
    keys.rotate()(connection)
    keys.rewrap(connection)
    assert stale.require(connection, key(1)).profile.values == {"income": 1}


def test_a_stale_process_seals_nothing_under_a_retired_key(process, connection):
    stale, _ = process()
    _, keys = process()
    keys.rotate()(connection)
    keys.retire(1)(connection)
    fill(stale, connection, [1])
    keys.drop(connection, 1)
    assert keys.status(connection) == [KeyStatus(2, True, 1)]
    assert process()[0].require(connection, key(1)).profile.values == {"income": 1}


def test_a_process_that_cannot_read_the_new_keyring_refuses_to_write(provider, process, subjects, connection):
    alone = Profiles(Vault(provider.load()), subjects)
    _, keys = process()
    keys.rotate()(connection)
    keys.retire(1)(connection)
    with pytest.raises(FailedPrecondition) as caught:
        alone.merge(key(1), {}, 1)(connection)
    assert caught.value.reason == "KEYRING_OUTDATED"


def test_only_an_old_known_closed_version_is_dropped(process, connection):
    _, keys = process()
    keys.rotate()(connection)
    for version, reason in [(2, "KEY_VERSION_CURRENT"), (9, "KEY_VERSION_MISSING")]:
        with pytest.raises(FailedPrecondition) as caught:
            keys.retire(version)
        assert caught.value.reason == reason
    with pytest.raises(FailedPrecondition):
        keys.drop(connection, 1)


@pytest.mark.parametrize("stop_after", ["provider.replace", "rotate", "rewrap", "retire", "drop"])
def test_every_step_can_be_the_last_before_a_crash(process, provider, subjects, connection, stop_after):
    profiles, keys = process()
    subjects.put_key_checks(connection, provider.load().check_values())
    fill(profiles, connection, range(3))
    steps = {
        "provider.replace": keys.rotate,
        "rotate": lambda: subjects.put_key_checks(connection, provider.load().check_values()),
        "rewrap": lambda: keys.rewrap(connection),
        "retire": lambda: keys.retire(1)(connection),
        "drop": lambda: keys.drop(connection, 1),
    }
    for name, step in steps.items():
        step()
        if name == stop_after:
            break
    check_keyring(provider.load(), subjects.key_checks(connection))
    restarted, _ = process()
    fill(restarted, connection, [50])
    assert [restarted.require(connection, key(n)).profile.values for n in (0, 1, 2, 50)] == [
        {"income": n} for n in (0, 1, 2, 50)
    ]


def test_the_file_provider_keeps_the_contract(tmp_path):
    check_key_provider(file_provider(tmp_path / "keyring.json"))
    assert load_file(tmp_path / "keyring.json").current == 2


class Memory:
    """A provider of a plugin, with one thing wrong with it or none."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.kept: Keyring | None = new_keyring() if fault == "full" else None

    def create(self, keyring: Keyring) -> None:
        if self.kept is not None and self.fault != "overwrites":
            if self.fault == "forgets":
                self.kept = new_keyring()
            raise Conflict("there are keys")
        self.kept = new_keyring() if self.fault == "other" else keyring

    def load(self) -> Keyring:
        if self.kept is None:
            raise FailedPrecondition("empty")
        return self.kept

    def replace(self, keyring: Keyring) -> None:
        if self.fault == "keeps" and len(keyring.key_encryption_keys) == 1:
            return
        if self.fault != "ignores":
            self.kept = keyring


def test_the_conformance_check_passes_a_sound_provider():
    memory = Memory()
    check_key_provider(KeyProvider("memory", memory.create, memory.load, memory.replace))


@pytest.mark.parametrize("fault", ["full", "other", "overwrites", "forgets", "ignores", "keeps"])
def test_the_conformance_check_finds_a_broken_provider(fault):
    memory = Memory(fault)
    with pytest.raises(AssertionError):
        check_key_provider(KeyProvider("memory", memory.create, memory.load, memory.replace))


def test_a_provider_is_chosen_by_its_name(tmp_path):
    memory = Memory()
    other = KeyProvider("memory", memory.create, memory.load, memory.replace)
    assert choose("memory", tmp_path / "keyring.json", [other]) is other
    assert choose("file", tmp_path / "keyring.json", [other]).name == "file"
    with pytest.raises(FailedPrecondition, match="file, memory") as caught:
        choose("cloud", tmp_path / "keyring.json", [other])
    assert caught.value.reason == "KEY_PROVIDER_UNKNOWN"
