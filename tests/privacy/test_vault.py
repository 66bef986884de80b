from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segserver.errors import Conflict, FailedPrecondition, IntegrityError, NotFound
from segserver.privacy.keyring import new_keyring
from segserver.privacy.profiles import Profiles
from segserver.privacy.subject import Decision, Profile, Status, SubjectState
from segserver.privacy.vault import Vault

KEY = b"\x01" + b"k" * 32
OTHER_KEY = b"\x01" + b"o" * 32
names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
values = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.lists(st.text(), max_size=5).map(tuple)
)
STATE = SubjectState(
    consents={"marketing": Decision(Status.GRANTED, 1, 5, 9, True)}, jurisdiction="DE", records=1
)


@given(st.dictionaries(names, values), st.dictionaries(names, st.integers(0, 2**60)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_sealed_opens_the_same(vault, attributes, expires):
    profile = Profile(values=attributes, recorded_us=3, recorded={"a": 1}, expires=expires, timestamps=("a",))
    _, row = vault.seal(vault.create(KEY), 7, profile=profile, state=STATE)
    opened = vault.open(row)
    assert opened.profile == profile
    assert {n: type(v) for n, v in opened.profile.values.items()} == {
        n: type(v) for n, v in attributes.items()
    }
    assert opened.state == STATE
    assert (opened.revision, opened.updated_us) == (1, 7)


def test_values_and_state_cannot_be_seen_in_the_row(vault):
    _, row = vault.seal(
        vault.create(KEY), 7, profile=Profile(values={"canary_name": "canary-value"}), state=STATE
    )
    whole = b"".join(part for part in row if isinstance(part, bytes))
    assert b"canary" not in whole
    assert b"marketing" not in whole


def test_a_part_of_another_subject_or_field_does_not_open(vault):
    _, mine = vault.seal(vault.create(KEY), 7, profile=Profile(values={"a": 1}), state=STATE)
    _, other = vault.seal(vault.create(OTHER_KEY), 7)
    for wrong in [
        mine._replace(subject_key=OTHER_KEY),
        mine._replace(wrapped_key=other.wrapped_key),
        mine._replace(profile=other.profile),
        mine._replace(profile=mine.state),
    ]:
        with pytest.raises(IntegrityError):
            vault.open(wrong)


def test_an_unreadable_state_is_no_state_and_is_not_written_over(vault):
    _, row = vault.seal(vault.create(KEY), 7, state=STATE)
    subject = vault.open(row._replace(state=row.state[:-1] + b"?"))
    assert not subject.state.readable
    with pytest.raises(IntegrityError) as caught:
        vault.seal(subject, 8, profile=Profile())
    assert caught.value.reason == "CONSENT_UNREADABLE"


def test_another_keyring_opens_nothing(vault, keyring):
    _, row = vault.seal(vault.create(KEY), 7, state=STATE)
    with pytest.raises(IntegrityError):
        Vault(new_keyring()).open(row)
    with pytest.raises(FailedPrecondition):
        vault.open(row._replace(key_version=9))
    rotated = Vault(keyring.rotated())
    wrapped, version = rotated.rewrap(KEY, row.wrapped_key, row.key_version)
    assert version == 2
    assert rotated.open(row._replace(wrapped_key=wrapped, key_version=version)).state == STATE


def test_two_seals_of_one_profile_differ(vault):
    subject = vault.create(KEY)
    assert vault.seal(subject, 7)[1].profile != vault.seal(subject, 7)[1].profile
    assert vault.create(KEY).salt != subject.salt


def test_a_subject_shows_nothing_of_itself(vault):
    fresh, _ = vault.seal(vault.create(KEY), 7, profile=Profile(values={"a": "canary"}))
    assert "canary" not in repr(fresh)


def test_evidence_is_bound_to_its_number(vault):
    subject = vault.create(KEY)
    sealed = vault.seal_evidence(subject, 3, b"notice 2")
    assert vault.open_evidence(subject, 3, sealed) == b"notice 2"
    with pytest.raises(IntegrityError):
        vault.open_evidence(subject, 4, sealed)


def test_merging_sets_removes_and_remembers_when(vault, subjects, connection):
    profiles = Profiles(vault, subjects)
    profiles.merge(KEY, {"a": 1, "b": "x", "c": 5}, 10, timestamps=frozenset({"c"}), expires={"b": 99})(
        connection
    )
    profiles.merge(KEY, {"a": 2, "b": None}, 20)(connection)
    subject = profiles.require(connection, KEY)
    assert subject.profile.values == {"a": 2, "c": 5}
    assert (subject.profile.recorded_at("a"), subject.profile.recorded_at("c")) == (20, 10)
    assert subject.profile.expires == {}
    assert subject.profile.timestamps == ("c",)
    assert subject.revision == 2


def test_a_revision_guards_against_a_lost_update(vault, subjects, connection):
    profiles = Profiles(vault, subjects)
    profiles.merge(KEY, {"a": 1}, 10, revision=0)(connection)
    with pytest.raises(Conflict):
        profiles.merge(KEY, {"a": 2}, 20, revision=0)(connection)
    assert profiles.require(connection, KEY).profile.values == {"a": 1}


def test_an_unknown_subject_is_not_found(vault, subjects, connection):
    with pytest.raises(NotFound) as caught:
        Profiles(vault, subjects).require(connection, KEY)
    assert caught.value.reason == "SUBJECT_NOT_FOUND"
