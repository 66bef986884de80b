from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.errors import InvalidInput, SegserverError
from segserver.model import SubjectId
from segserver.privacy.keyring import new_keyring
from segserver.privacy.primitives import random_salt
from segserver.privacy.pseudonyms import NO_SALT, Pseudonyms
from segserver.privacy.subject import SUBJECT_KEY_BYTES

PSEUDONYMS = Pseudonyms(new_keyring(), default_region="GB", opaque_types=("customer", "cookie"))

raw_ids = st.text(max_size=80) | st.emails() | st.from_regex(r"\+?[0-9 ()\-]{3,18}", fullmatch=True)


@pytest.mark.parametrize(
    ("id_type", "spellings"),
    [
        ("customer", ["C-17", " C-17", "C-17\n"]),
        ("customer", ["Müller", unicodedata.normalize("NFD", "Müller")]),
        ("email", ["jo@example.org", "Jo@Example.ORG", " JO@EXAMPLE.ORG ", "jo@example.org."]),
        ("email", ["jo@bücher.example", "JO@BÜCHER.example", "jo@xn--bcher-kva.example"]),
        (
            "phone",
            ["+44 20 7946 0018", "020 7946 0018", "(020) 79460018", "+442079460018", "0044 20 7946 0018"],
        ),
        ("phone", ["+1 650-253-0000", "+16502530000", "tel:+1-650-253-0000"]),
    ],
)
def test_one_person_is_one_subject(id_type, spellings):
    assert len({PSEUDONYMS.subject_key(SubjectId(id_type, s)) for s in spellings}) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (SubjectId("customer", "C-17"), SubjectId("customer", "c-17")),
        (SubjectId("customer", "C-17"), SubjectId("cookie", "C-17")),
        (SubjectId("customer", "jo@example.org"), SubjectId("email", "jo@example.org")),
        (SubjectId("email", "jo@example.org"), SubjectId("email", "jo@example.com")),
        (SubjectId("phone", "+442079460018"), SubjectId("phone", "+442079460018 ext. 5")),
    ],
)
def test_two_persons_are_two_subjects(first, second):
    assert PSEUDONYMS.subject_key(first) != PSEUDONYMS.subject_key(second)


@pytest.mark.parametrize(
    ("id_type", "raw", "reason"),
    [
        ("customer", "", "SUBJECT_ID_INVALID"),
        ("customer", " \t ", "SUBJECT_ID_INVALID"),
        ("customer", "a\0b-canary", "SUBJECT_ID_INVALID"),
        ("customer", "canary\udc80", "SUBJECT_ID_INVALID"),
        ("email", "canary", "SUBJECT_ID_INVALID"),
        ("email", "@canary", "SUBJECT_ID_INVALID"),
        ("email", "canary@", "SUBJECT_ID_INVALID"),
        ("email", "ca nary@example.org", "SUBJECT_ID_INVALID"),
        ("email", f"canary@{'a' * 70}ü.org", "SUBJECT_ID_INVALID"),
        ("phone", "canary", "SUBJECT_ID_INVALID"),
        ("phone", "+999 123 canary", "SUBJECT_ID_INVALID"),
        ("phone", "12", "SUBJECT_ID_INVALID"),
        ("passport", "canary", "SUBJECT_ID_TYPE_UNKNOWN"),
        ("canary\n", "x", "SUBJECT_ID_TYPE_UNKNOWN"),
    ],
)
def test_what_cannot_be_normalized_is_refused_without_showing_it(id_type, raw, reason):
    with pytest.raises(InvalidInput) as caught:
        PSEUDONYMS.subject_key(SubjectId(id_type, raw))
    assert caught.value.reason == reason
    assert caught.value.violations
    assert "canary" not in str(caught.value)
    assert "canary" not in repr(caught.value.metadata)
    assert caught.value.__cause__ is None


def test_an_id_beyond_the_limit_names_the_limit():
    with pytest.raises(InvalidInput) as caught:
        PSEUDONYMS.subject_key(SubjectId("customer", "x" * 513))
    assert caught.value.metadata == {"limit": "id_characters_max", "value": "512"}


def test_a_phone_number_without_its_country_needs_a_region():
    with pytest.raises(InvalidInput, match="country code"):
        Pseudonyms(new_keyring()).subject_key(SubjectId("phone", "020 7946 0018"))


@given(st.sampled_from(["customer", "email", "phone"]), raw_ids)
def test_normalizing_twice_is_normalizing_once(id_type, raw):
    try:
        once = PSEUDONYMS.normalize(SubjectId(id_type, raw))
    except SegserverError:
        return
    assert PSEUDONYMS.normalize(SubjectId(id_type, once)) == once
    assert len(PSEUDONYMS.subject_key(SubjectId(id_type, raw))) == SUBJECT_KEY_BYTES


def test_domains_recipients_salts_and_installations_share_nothing():
    subject, salt = SubjectId("customer", "C-17"), random_salt()
    key = PSEUDONYMS.subject_key(subject)
    other = Pseudonyms(new_keyring())
    tokens = [
        PSEUDONYMS.audit_token(key, salt),
        PSEUDONYMS.audit_token(key, random_salt()),
        PSEUDONYMS.audit_token(key, NO_SALT),
        PSEUDONYMS.recipient_token(key, salt, "crm"),
        PSEUDONYMS.recipient_token(key, salt, "shop"),
        PSEUDONYMS.recipient_token(key, NO_SALT, "shop"),
        other.audit_token(key, salt),
        other.recipient_token(key, salt, "crm"),
    ]
    digits = {token.split("-")[1] for token in tokens}
    assert len(digits) == len(tokens)
    assert not any(part in key.hex() for part in digits)
    assert other.subject_key(subject) != key


def test_tokens_carry_their_domain_and_version():
    key = PSEUDONYMS.subject_key(SubjectId("customer", "C-17"))
    assert key[0] == 1
    assert PSEUDONYMS.audit_token(key, NO_SALT).startswith("a1-")
    assert PSEUDONYMS.recipient_token(key, NO_SALT, "crm").startswith("r1-")
