"""What the consent ledger holds: one record for each thing that a person decided, with its evidence."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from segserver.errors import IntegrityError, InvalidInput
from segserver.privacy.policy import Policy
from segserver.privacy.subject import MARKETING, SIGNALS

TEXT_CHARACTERS_MAX = 500

JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
"""A country of ISO 3166-1, or a subdivision of ISO 3166-2."""


class RecordKind(StrEnum):
    """What was decided."""

    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    OBJECTED = "objected"
    OBJECTION_LIFTED = "objection_lifted"
    SIGNAL_SET = "signal_set"
    SIGNAL_CLEARED = "signal_cleared"
    RESTRICTED = "restricted"
    RESTRICTION_LIFTED = "restriction_lifted"


NEEDS_PURPOSE = frozenset({RecordKind.GRANTED, RecordKind.REFUSED, RecordKind.WITHDRAWN})
OBJECTIONS = frozenset({RecordKind.OBJECTED, RecordKind.OBJECTION_LIFTED})
SIGNALLED = frozenset({RecordKind.SIGNAL_SET, RecordKind.SIGNAL_CLEARED})


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision with its evidence, as it is sealed. Times are microseconds since the epoch, UTC."""

    kind: RecordKind
    purpose: str = ""
    """The purpose; for an objection also :data:`~segserver.privacy.subject.MARKETING`."""
    signal: str = ""
    at_us: int
    """When the person decided."""
    recorded_us: int
    """When the server learned it."""
    expires_us: int | None = None
    explicit: bool = False
    """Given in an express statement (GDPR art. 9(2)(a))."""
    notice_version: str = ""
    """The version of the notice that the person saw (art. 7(1), 13)."""
    method: str = ""
    """How it was given: ``web-form``, ``double-opt-in``, ``call``, ``browser-signal``."""
    actor: str = ""
    """Who recorded it."""
    jurisdiction: str = ""
    """The person's jurisdiction, where the decision tells it; it becomes the subject's."""
    reason: str = ""
    """Why processing was restricted, or a restriction or objection lifted."""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Record)


def encode(record: Record) -> bytes:
    """The bytes that are sealed."""
    return _ENCODER.encode(record)


def decode(evidence: bytes) -> Record:
    """The record in these bytes. Raises :class:`IntegrityError`."""
    try:
        return _DECODER.decode(evidence)
    except msgspec.MsgspecError:
        raise IntegrityError("a consent record does not decode", reason="CONSENT_UNREADABLE") from None


def check(record: Record, policy: Policy) -> None:
    """Raises :class:`InvalidInput` or :class:`NotFound` for a record that must not be stored.

    A future decision, an expiry that is not after it, an unknown purpose or signal, and text that is too long
    or can't be printed are each an error of their own.
    """
    if record.kind in NEEDS_PURPOSE or (record.kind in OBJECTIONS and record.purpose != MARKETING):
        policy.purpose(record.purpose)
    if record.kind in SIGNALLED and record.signal not in SIGNALS:
        raise InvalidInput.of(
            "signal", f"unknown signal; known are {', '.join(sorted(SIGNALS))}", reason="SIGNAL_UNKNOWN"
        )
    if record.at_us > record.recorded_us:
        raise InvalidInput.of("time", "lies in the future", reason="CONSENT_IN_FUTURE")
    if record.at_us <= 0:
        raise InvalidInput.of("time", "lies before 1970", reason="CONSENT_TIME_INVALID")
    if record.expires_us is not None and record.expires_us <= record.at_us:
        raise InvalidInput.of(
            "expire_time", "is not after the time of consent", reason="CONSENT_EXPIRY_INVALID"
        )
    if record.jurisdiction and not JURISDICTION.fullmatch(record.jurisdiction):
        raise InvalidInput.of(
            "jurisdiction", "write it like DE or US-CA (ISO 3166)", reason="JURISDICTION_INVALID"
        )
    for name in ("notice_version", "method", "actor", "reason"):
        _check_text(name, getattr(record, name))


def _check_text(field: str, text: str) -> None:
    if len(text) > TEXT_CHARACTERS_MAX:
        raise InvalidInput.beyond(field, "text_characters_max", TEXT_CHARACTERS_MAX)
    if not text.isprintable():
        raise InvalidInput.of(field, "holds a character that can't be printed", reason="TEXT_INVALID")
