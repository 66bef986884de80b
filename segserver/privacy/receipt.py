"""Consent receipts in the shape of ISO/IEC TS 27560:2023: what a person can keep as proof of what they agreed
to.

A receipt holds a record's metadata, one entry of ``pii_processing``, the parties, and one event. A grant that
was collected elsewhere comes in as such a receipt too.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import msgspec

from segserver.errors import InvalidInput
from segserver.privacy.policy import Policy
from segserver.privacy.records import Record, RecordKind
from segserver.rules.times import from_datetime, to_datetime

SCHEMA_VERSION = "ISO/IEC TS 27560:2023"

_STATES = {
    RecordKind.GRANTED: "consent given",
    RecordKind.REFUSED: "consent refused",
    RecordKind.WITHDRAWN: "consent withdrawn",
}
_KINDS = {state: kind for kind, state in _STATES.items()}


class _Purpose(msgspec.Struct):
    purpose: str
    lawful_basis: str = "consent"
    jurisdiction: str = ""
    collection_method: str = ""


class _Processing(msgspec.Struct):
    privacy_notice: str
    purposes: list[_Purpose]


class _Event(msgspec.Struct):
    event_time: dt.datetime
    event_type: str
    event_state: str
    validity_time: dt.datetime | None = None
    entity_id: str = ""


class _Receipt(msgspec.Struct):
    schema_version: str
    record_id: str
    pii_processing: _Processing
    events: list[_Event]


@dataclass(frozen=True, slots=True)
class Controller:
    """Who is responsible (GDPR art. 4(7)), as receipts and records of processing name them."""

    name: str = ""
    contact: str = ""
    officer_contact: str = ""


def receipt(
    number: int, record: Record, token: str, policy: Policy, controller: Controller
) -> dict[str, Any]:
    """The receipt of one decision on a purpose, as JSON values. ``token`` is the person's name for the
    recipient.

    Raises :class:`InvalidInput` for a record that is no decision on a purpose.
    """
    state = _STATES.get(record.kind)
    if state is None:
        raise InvalidInput("a receipt is about a decision on a purpose", reason="RECEIPT_NOT_A_DECISION")
    purpose = policy.purpose(record.purpose)
    return {
        "schema_version": SCHEMA_VERSION,
        "record_id": f"{token}/{number}",
        "pii_principal_id": token,
        "pii_processing": {
            "privacy_notice": record.notice_version,
            "purposes": [
                {
                    "purpose": purpose.name,
                    "purpose_description": purpose.description or purpose.title,
                    "lawful_basis": purpose.legal_basis.value,
                    "pii_information": [
                        {"pii_type": category.value, "special_pii_category": category.value == "special"}
                        for category in sorted(purpose.categories)
                    ],
                    "pii_controllers": ["controller"],
                    "collection_method": record.method,
                    "jurisdiction": record.jurisdiction,
                    "withdrawal_method": "WithdrawConsent",
                    "privacy_rights": [
                        "access",
                        "rectification",
                        "erasure",
                        "restriction",
                        "portability",
                        "objection",
                    ],
                }
            ],
        },
        "party_identification": [
            {
                "party_id": "controller",
                "party_role": "PII controller",
                "party_name": controller.name,
                "party_contact": controller.contact,
            }
        ],
        "events": [
            {
                "event_time": _text(record.at_us),
                "validity_time": None if record.expires_us is None else _text(record.expires_us),
                "entity_id": record.actor,
                "event_type": "explicit" if record.explicit else "regular",
                "event_state": state,
            }
        ],
    }


def read_receipt(document: bytes, recorded_us: int) -> Record:
    """The decision in a receipt that was made elsewhere.

    Raises :class:`InvalidInput` (``RECEIPT_MALFORMED``) for one that is not of this shape, is about several
    purposes or events, or has a time without a zone. The message never shows its content.
    """
    try:
        found = msgspec.json.decode(document, type=_Receipt)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise _malformed("is not JSON of the shape of ISO/IEC TS 27560") from None
    if found.schema_version != SCHEMA_VERSION:
        raise _malformed(f"schema_version is not {SCHEMA_VERSION}")
    if len(found.pii_processing.purposes) != 1 or len(found.events) != 1:
        raise _malformed("holds not exactly one purpose and one event")
    purpose, event = found.pii_processing.purposes[0], found.events[0]
    kind = _KINDS.get(event.event_state)
    if kind is None:
        raise _malformed(f"event_state is none of {', '.join(sorted(_KINDS))}")
    if event.event_type not in ("explicit", "regular"):
        raise _malformed("event_type is neither explicit nor regular")
    return Record(
        kind=kind,
        purpose=purpose.purpose,
        at_us=_micros(event.event_time),
        recorded_us=recorded_us,
        expires_us=None if event.validity_time is None else _micros(event.validity_time),
        explicit=event.event_type == "explicit",
        notice_version=found.pii_processing.privacy_notice,
        method=purpose.collection_method,
        actor=event.entity_id,
        jurisdiction=purpose.jurisdiction,
    )


def _text(time_us: int) -> str:
    return to_datetime(time_us).isoformat()


def _micros(time: dt.datetime) -> int:
    if time.tzinfo is None:
        raise _malformed("a time has no zone")
    return from_datetime(time)


def _malformed(description: str) -> InvalidInput:
    return InvalidInput.of("receipt", description, reason="RECEIPT_MALFORMED")
