"""Seals and opens what is stored of a subject, each subject under a key of its own."""

from __future__ import annotations

import struct
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from segserver.errors import IntegrityError
from segserver.privacy.keyring import Keyring
from segserver.privacy.primitives import (
    KEY_BYTES,
    KeyWrapper,
    Sealer,
    bind,
    derive,
    mac,
    random_key,
    random_salt,
)
from segserver.privacy.subject import (
    NO_PROFILE,
    NO_STATE,
    SUBJECT_KEY_BYTES,
    UNREADABLE,
    Profile,
    SubjectState,
)
from segserver.storage.subjects import SubjectRow

_ENCODER = msgspec.msgpack.Encoder()
_PROFILES = msgspec.msgpack.Decoder(Profile)
_STATES = msgspec.msgpack.Decoder(SubjectState)


class Subject(msgspec.Struct, frozen=True):
    """A subject, opened. ``repr`` shows neither keys nor values."""

    subject_key: bytes
    salt: bytes
    profile: Profile
    state: SubjectState
    revision: int
    updated_us: int
    wrapped_key: bytes
    key_version: int
    sealer: Sealer

    def __repr__(self) -> str:
        return f"Subject(revision={self.revision})"


class Vault:
    """Opens and seals subjects under a keyring.

    Associated data binds each sealed part to tenant, field and subject key: a part that is moved to another
    row, or to another column of its row, does not open. It does not bind the revision: who can write the
    database can put back an older whole row, and it is the audit log that tells.

    ``reload`` reads the keyring again: another process may have rotated it since.
    """

    def __init__(self, keyring: Keyring, reload: Callable[[], Keyring] | None = None) -> None:
        self._keyring = keyring
        self._reload = reload
        tenant = keyring.tenant.encode()
        # A subject key and a record number have one length, so what bind() puts before them is constant.
        length = struct.pack(">H", SUBJECT_KEY_BYTES)
        self._key, self._profile, self._state, self._evidence, self._head, self._events = (
            bind(tenant, name) + length
            for name in (b"key", b"profile", b"state", b"evidence", b"event-head", b"events")
        )
        self._stream_mac = mac(derive(keyring.pseudonym_root, f"events/{keyring.tenant}"))
        self._streams: dict[str, bytes] = {}

    @property
    def keyring(self) -> Keyring:
        """The one in use."""
        return self._keyring

    def create(self, subject_key: bytes) -> Subject:
        """A new subject with an empty profile, no decisions, and fresh random data key and salt."""
        data_key = random_key()
        version = self._keyring.current
        wrapped = self._keyring.wrapper(version).wrap(data_key, self._key + subject_key)
        return Subject(
            subject_key, random_salt(), NO_PROFILE, NO_STATE, 0, 0, wrapped, version, Sealer(data_key)
        )

    def open(self, row: SubjectRow) -> Subject:
        """The subject of a row.

        A state that does not open or decode becomes :data:`~segserver.privacy.subject.UNREADABLE`, which
        permits nothing; a profile that does not open or decode raises :class:`IntegrityError`; a
        key-encryption key that the keyring lacks raises :class:`FailedPrecondition`.
        """
        key = row.subject_key
        sealer = self._sealer(row)
        try:
            state = _STATES.decode(sealer.open(row.state, self._state + key))
        except (IntegrityError, msgspec.DecodeError):
            state = UNREADABLE
        try:
            profile = _PROFILES.decode(sealer.open(row.profile, self._profile + key))
        except msgspec.DecodeError:
            raise IntegrityError("a profile does not decode", reason="PROFILE_UNREADABLE") from None
        return Subject(
            key,
            row.salt,
            profile,
            state,
            row.revision,
            row.updated_us,
            row.wrapped_key,
            row.key_version,
            sealer,
        )

    def seal(
        self,
        subject: Subject,
        now_us: int,
        *,
        profile: Profile | None = None,
        state: SubjectState | None = None,
    ) -> tuple[Subject, SubjectRow]:
        """The subject with a new profile or state, and its row to store; the revision grows by one.

        Raises :class:`IntegrityError` when its state was unreadable and none is given: what a person decided
        must not be replaced by nothing.
        """
        fresh = replace(
            subject,
            profile=subject.profile if profile is None else profile,
            state=subject.state if state is None else state,
            revision=subject.revision + 1,
            updated_us=now_us,
        )
        if not fresh.state.readable:
            raise IntegrityError(
                "the subject's recorded decisions can't be read", reason="CONSENT_UNREADABLE"
            )
        key = subject.subject_key
        row = SubjectRow(
            key,
            subject.wrapped_key,
            subject.key_version,
            subject.salt,
            subject.sealer.seal(_ENCODER.encode(fresh.profile), self._profile + key),
            subject.sealer.seal(_ENCODER.encode(fresh.state), self._state + key),
            fresh.revision,
            now_us,
        )
        return fresh, row

    def seal_evidence(self, subject: Subject, record: int, evidence: bytes) -> bytes:
        """A record of the consent ledger, bound to its subject and number."""
        return subject.sealer.seal(evidence, self._evidence + subject.subject_key + record.to_bytes(8))

    def open_evidence(self, subject: Subject, record: int, sealed: bytes) -> bytes:
        """What :meth:`seal_evidence` sealed. Raises :class:`IntegrityError`."""
        return subject.sealer.open(sealed, self._evidence + subject.subject_key + record.to_bytes(8))

    def stream(self, event: str) -> bytes:
        """Under what the events of a name are stored: 8 bytes that don't tell the name."""
        found = self._streams.get(event)
        if found is None:
            found = self._streams[event] = self._stream_mac(event.encode())[:8]
        return found

    def event_digest(self, subject_key: bytes, text: bytes) -> bytes:
        """A keyed digest of an event's id or content: 16 bytes that mean nothing without the key."""
        return self._stream_mac(subject_key + text)[:16]

    def seal_events(self, subject: Subject, stream: bytes, part: int, body: bytes) -> bytes:
        """The events of one part, bound to their subject, stream and part."""
        return subject.sealer.seal(body, self._events + subject.subject_key + stream + part.to_bytes(8))

    def open_events(self, subject: Subject, stream: bytes, part: int, sealed: bytes) -> bytes:
        """What :meth:`seal_events` sealed. Raises :class:`IntegrityError`."""
        return subject.sealer.open(sealed, self._events + subject.subject_key + stream + part.to_bytes(8))

    def seal_head(self, subject: Subject, stream: bytes, part: int, head: bytes) -> bytes:
        """What is known in advance of a closed part, bound as its events are."""
        return subject.sealer.seal(head, self._head + subject.subject_key + stream + part.to_bytes(8))

    def open_head(self, subject: Subject, stream: bytes, part: int, sealed: bytes) -> bytes:
        """What :meth:`seal_head` sealed. Raises :class:`IntegrityError`."""
        return subject.sealer.open(sealed, self._head + subject.subject_key + stream + part.to_bytes(8))

    def rewrap(self, subject_key: bytes, wrapped_key: bytes, version: int) -> tuple[bytes, int]:
        """The same data key, wrapped under the current version, and that version. Raises
        :class:`IntegrityError`.
        """
        associated = self._key + subject_key
        data_key = self._wrapper(version).unwrap(wrapped_key, associated)
        current = self._keyring.current
        return self._keyring.wrapper(current).wrap(data_key, associated), current

    def refresh(self) -> Keyring:
        """Reads the keyring again where that is possible, and returns the one that is in use."""
        if self._reload is not None:
            self._keyring = self._reload()
        return self._keyring

    def _wrapper(self, version: int) -> KeyWrapper:
        if version not in self._keyring.key_encryption_keys:
            self.refresh()
        return self._keyring.wrapper(version)

    def _sealer(self, row: SubjectRow) -> Sealer:
        data_key = self._wrapper(row.key_version).unwrap(row.wrapped_key, self._key + row.subject_key)
        if len(data_key) != KEY_BYTES:
            raise IntegrityError("a data key has the wrong length", reason="DATA_KEY_UNREADABLE")
        return Sealer(data_key)
