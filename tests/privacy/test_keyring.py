from __future__ import annotations

import hmac
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.errors import Conflict, FailedPrecondition, IntegrityError
from segserver.privacy.keyring import check_keyring, create_file, load_file, new_keyring, replace_file
from segserver.privacy.primitives import KeyWrapper, Sealer, bind, derive, mac, macs, random_key


def test_a_file_gives_back_the_keyring(tmp_path):
    keyring = new_keyring("acme").rotated()
    path = tmp_path / "keyring.json"
    create_file(path, keyring)
    assert load_file(path) == keyring
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_replaced_file_is_whole_and_private(tmp_path):
    path = tmp_path / "keyring.json"
    keyring = new_keyring()
    create_file(path, keyring)
    replace_file(path, keyring.rotated())
    assert load_file(path).current == 2
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["keyring.json"]


def test_creating_never_overwrites(tmp_path):
    path = tmp_path / "keyring.json"
    create_file(path, new_keyring())
    before = path.read_bytes()
    with pytest.raises(Conflict) as caught:
        create_file(path, new_keyring())
    assert caught.value.reason == "KEYRING_EXISTS"
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o602])
def test_a_file_that_others_can_reach_is_refused(tmp_path, mode):
    path = tmp_path / "keyring.json"
    create_file(path, new_keyring())
    path.chmod(mode)
    with pytest.raises(FailedPrecondition) as caught:
        load_file(path)
    assert caught.value.reason == "KEYRING_EXPOSED"


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(FailedPrecondition, match="keys init") as caught:
        load_file(tmp_path / "keyring.json")
    assert caught.value.reason == "KEYRING_MISSING"


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("pseudonym_root"),
        lambda c: c.update(format=2),
        lambda c: c.update(current=7),
        lambda c: c.update(audit_seed="c2hvcnQ="),
        lambda c: c.update(audit_seed="not base64!"),
        lambda c: c.update(key_encryption_keys=[]),
        lambda c: c.update(key_encryption_keys={"one": c["audit_seed"]}),
    ],
)
def test_a_damaged_file_is_refused_without_showing_it(tmp_path, change):
    path = tmp_path / "keyring.json"
    create_file(path, new_keyring())
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(FailedPrecondition) as caught:
        load_file(path)
    assert caught.value.reason == "KEYRING_DAMAGED"
    assert not any(
        str(value) in str(caught.value) for value in content.values() if isinstance(value, str | dict)
    )


def test_a_database_recognizes_its_keyring():
    keyring = new_keyring()
    recorded = keyring.check_values()
    check_keyring(keyring, recorded)
    check_keyring(keyring.rotated(), recorded)
    for wrong, reason in [
        (new_keyring(), "KEYRING_WRONG"),
        (replace(keyring, pseudonym_root=random_key()), "KEYRING_WRONG"),
        (replace(keyring, tenant="other"), "KEYRING_WRONG"),
        (keyring.rotated().without(1), "KEY_VERSION_MISSING"),
    ]:
        with pytest.raises(FailedPrecondition) as caught:
            check_keyring(wrong, recorded)
        assert caught.value.reason == reason


def test_the_current_version_cannot_be_dropped():
    keyring = new_keyring().rotated()
    with pytest.raises(FailedPrecondition):
        keyring.without(2)
    with pytest.raises(FailedPrecondition):
        keyring.without(9)
    assert set(keyring.without(1).key_encryption_keys) == {2}


def test_a_representation_shows_no_key():
    keyring = new_keyring()
    shown = repr(keyring)
    assert shown == "Keyring(tenant='default', versions=[1], current=1)"


def test_labels_separate_keys():
    root = random_key()
    assert len({derive(root, label) for label in ("a", "b", "a/b", "")}) == 4
    assert derive(root, "a") == derive(root, "a")


@given(st.binary(max_size=200), st.lists(st.binary(max_size=200), max_size=3))
def test_a_mac_is_the_standard_librarys_hmac(key, messages):
    digest = mac(key)
    expected = [hmac.digest(key, message, "sha256") for message in messages]
    assert [digest(message) for message in messages] == expected
    assert macs(key)(messages) == expected


def test_bound_parts_cannot_be_moved_across_their_borders():
    assert len({bind(b"ab", b"c"), bind(b"a", b"bc"), bind(b"abc"), bind(b"abc", b"")}) == 4


@pytest.mark.parametrize("where", range(0, 60, 7))
def test_a_changed_byte_does_not_open(where):
    sealer = Sealer(random_key())
    sealed = bytearray(sealer.seal(b"some plain text that is sealed here", b"place"))
    sealed[where] ^= 1
    with pytest.raises(IntegrityError):
        sealer.open(bytes(sealed), b"place")


def test_a_seal_opens_only_at_its_place_and_whole():
    sealer = Sealer(random_key())
    sealed = sealer.seal(b"plain", b"place")
    assert sealer.open(sealed, b"place") == b"plain"
    for wrong, place in [
        (sealed, b"elsewhere"),
        (sealed[:-1], b"place"),
        (sealed[:5], b"place"),
        (b"", b"place"),
    ]:
        with pytest.raises(IntegrityError):
            sealer.open(wrong, place)


def test_a_wrapped_key_unwraps_only_under_its_own_key_and_place():
    wrapper, key = KeyWrapper(random_key()), random_key()
    wrapped = wrapper.wrap(key, b"place")
    assert wrapper.unwrap(wrapped, b"place") == key
    for other, place in [(KeyWrapper(random_key()), b"place"), (wrapper, b"elsewhere")]:
        with pytest.raises(IntegrityError):
            other.unwrap(wrapped, place)
    with pytest.raises(IntegrityError):
        wrapper.unwrap(wrapped[:7], b"place")
