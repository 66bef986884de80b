"""Raw subject ids in, pseudonyms out: the only module that a raw id reaches.

Each domain has its own HMAC-SHA-256 key (RFC 2104), derived from one root with the domain in the label: the
key under which a subject is stored, its token in the audit log, and its token for each recipient have nothing
in common that anyone without the root could compute. Tokens are also bound to the subject's salt, which
erasure destroys: after that, not even the root leads from a person to its old tokens.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

import phonenumbers

from segserver.errors import InvalidInput
from segserver.model import SubjectId
from segserver.privacy.keyring import Keyring
from segserver.privacy.primitives import derive, mac, macs

VERSION = 1
"""The version of the pseudonym keys: the first byte of a subject key, and the number in a token."""

KEY_PREFIX = bytes([VERSION])
AUDIT_PREFIX, RECIPIENT_PREFIX = f"a{VERSION}-", f"r{VERSION}-"

ID_CHARACTERS_MAX = 512
TOKEN_BYTES = 16
"""Tokens are HMACs cut to 128 bits (RFC 2104 §5): with 10⁹ subjects, two share one with a chance below 2⁻⁶⁸.
"""

AUDIT_TOKEN = re.compile(rf"a[0-9]+-[0-9a-f]{{{2 * TOKEN_BYTES}}}")
"""The form of a token in the audit log, of any version: text that is none may be a raw id."""

RECIPIENTS_CACHED_MAX = 4_096

NO_SALT = b""
"""The salt of a subject that is not stored. Its tokens follow from its id and the keys alone: what the log
says of a person that was never stored is that somebody asked, and that person may know it (GDPR art. 15).
"""


class Pseudonyms:
    """Turns subject ids into subject keys, and subject keys into tokens.

    ``default_region`` (ISO 3166 alpha-2) is how a phone number without a country code is read; empty refuses
    those. ``opaque_types`` are the id types that have no form of their own, like a customer number.
    """

    def __init__(
        self, keyring: Keyring, *, default_region: str = "", opaque_types: Iterable[str] = ("customer",)
    ) -> None:
        self._root = keyring.pseudonym_root
        self._tenant = keyring.tenant
        self._region = default_region or None
        storage = derive(self._root, f"pseudonym/{self._tenant}/storage")
        audit = derive(self._root, f"pseudonym/{self._tenant}/audit")
        self._storage, self._storages = mac(storage), macs(storage)
        self._audit, self._audits = mac(audit), macs(audit)
        self._recipients: dict[str, Callable[[bytes], bytes]] = {}
        self.opaque_types = frozenset(opaque_types)
        self._normalizers = dict.fromkeys(self.opaque_types, _opaque) | {
            "email": _email,
            "phone": self._phone,
        }

    @property
    def id_types(self) -> list[str]:
        """The id types that are understood, sorted."""
        return sorted(self._normalizers)

    def normalize(self, subject: SubjectId) -> str:
        """The one spelling of this id. Raises :class:`InvalidInput`, which never shows the id.

        Every type: Unicode NFC, no white space around. ``email``: lower case, domain in IDNA form. ``phone``:
        E.164.
        """
        return self._normalizer(subject.type)(subject.id)

    def subject_key(self, subject: SubjectId) -> bytes:
        """33 bytes: key version, then the HMAC of type and normalized id. Raises :class:`InvalidInput`."""
        message = f"{subject.type}\0{self.normalize(subject)}".encode()
        return KEY_PREFIX + self._storage(message)

    def audit_token(self, subject_key: bytes, salt: bytes) -> str:
        """The subject's name in the audit log: ``a1-`` and 32 hexadecimal digits."""
        return AUDIT_PREFIX + self._audit(salt + subject_key)[:TOKEN_BYTES].hex()

    def recipient_token(self, subject_key: bytes, salt: bytes, recipient: str) -> str:
        """The subject's name for one recipient: ``r1-`` and 32 hexadecimal digits. Two recipients' can't be
        joined.
        """
        digest = self._recipients.get(recipient) or self._recipient(recipient)
        return RECIPIENT_PREFIX + digest(salt + subject_key)[:TOKEN_BYTES].hex()

    def subject_macs(self, messages: Iterable[bytes]) -> list[bytes]:
        """For tables: what a subject key holds after its version, of messages like those of
        :meth:`subject_key`.
        """
        return self._storages(messages)

    def audit_macs(self, messages: Iterable[bytes]) -> list[bytes]:
        """For tables: what an audit token is cut from, of each salt ‖ subject key."""
        return self._audits(messages)

    def recipient_macs(self, messages: Iterable[bytes], recipient: str) -> list[bytes]:
        """For tables: what a recipient's token is cut from, of each salt ‖ subject key."""
        return macs(self._recipient_key(recipient))(messages)

    def _recipient(self, recipient: str) -> Callable[[bytes], bytes]:
        found = self._recipients.get(recipient)
        if found is None:
            if len(self._recipients) >= RECIPIENTS_CACHED_MAX:
                self._recipients.clear()
            found = self._recipients[recipient] = mac(self._recipient_key(recipient))
        return found

    def _recipient_key(self, recipient: str) -> bytes:
        return derive(self._root, f"pseudonym/{self._tenant}/recipient/{recipient}")

    def _normalizer(self, id_type: str) -> Callable[[str], str]:
        found = self._normalizers.get(id_type)
        if found is None:
            raise InvalidInput.of(
                "subject.type",
                f"unknown id type; this server knows {', '.join(self.id_types)}",
                reason="SUBJECT_ID_TYPE_UNKNOWN",
            )
        return found

    def _phone(self, raw: str) -> str:
        text = _opaque(raw)
        try:
            number = phonenumbers.parse(text, self._region)
        except phonenumbers.NumberParseException:
            number = None
        if number is None or not phonenumbers.is_possible_number(number):
            hint = "" if self._region else " with its country code, like +44 20 7946 0000"
            raise _invalid(f"expected a phone number{hint}")
        plain = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        # An extension is another person's desk: E.164 would drop it and make the two one subject.
        return f"{plain};ext={number.extension}" if number.extension else plain


def _opaque(raw: str) -> str:
    if len(raw) > ID_CHARACTERS_MAX:
        raise InvalidInput.beyond("subject.id", "id_characters_max", ID_CHARACTERS_MAX)
    text = raw.strip()
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise _invalid("not valid Unicode")
    if not text:
        raise _invalid("empty")
    if not text.isprintable():
        raise _invalid("holds a control character, a line break or another character that can't be seen")
    return text


def _email(raw: str) -> str:
    text = unicodedata.normalize("NFC", _opaque(raw).lower())
    local, _, domain = text.rpartition("@")
    if not local or not domain or any(character.isspace() for character in text):
        raise _invalid("expected an e-mail address")
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError:
        raise _invalid("the domain of the e-mail address is not a domain") from None
    return f"{local}@{domain.removesuffix('.')}"


def _invalid(description: str) -> InvalidInput:
    return InvalidInput.of("subject.id", description, reason="SUBJECT_ID_INVALID")
