"""What one entry says, and the bytes that are hashed and stored for it.

An entry is JSON in one canonical form: fields in the order of this file, absent when empty, mappings sorted
by key, no spaces, UTF-8. The stored bytes are the entry: whoever verifies hashes them as they are and never
encodes again. ``v`` is the version of this form; a reader refuses one that it does not know.

An entry holds pseudonyms, names, versions, digests, reasons and outcomes, and never a value.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import msgspec

from segserver.errors import IntegrityError, InvalidInput

T = TypeVar("T")

PAYLOAD_BYTES_MAX = 64 * 1024
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Kind(StrEnum):
    """What happened."""

    EVALUATION = "evaluation"
    BATCH_EVALUATION = "batch_evaluation"
    EXPLAIN = "explain"
    PROFILE_WRITTEN = "profile_written"
    PROFILE_READ = "profile_read"
    EVENTS_RECORDED = "events_recorded"
    MEMBERSHIPS_REFRESHED = "memberships_refreshed"
    MEMBERSHIPS_READ = "memberships_read"
    CONSENT_RECORDED = "consent_recorded"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    OBJECTION = "objection"
    SIGNAL = "signal"
    SUBJECT_EXPORTED = "subject_exported"
    SUBJECT_ERASED = "subject_erased"
    SUBJECT_RESTRICTED = "subject_restricted"
    SUBJECT_REIDENTIFIED = "subject_reidentified"
    SUBJECT_REQUEST = "subject_request"
    LIST_UPLOADED = "list_uploaded"
    LIST_DELETED = "list_deleted"
    CATALOG_PUBLISHED = "catalog_published"
    CALLER_ADDED = "caller_added"
    CALLER_KEY_ROTATED = "caller_key_rotated"
    CALLER_REVOKED = "caller_revoked"
    KEY_ROTATED = "key_rotated"
    KEY_RETIRED = "key_retired"
    STRATEGY_QUARANTINED = "strategy_quarantined"
    ACCESS_DENIED = "access_denied"
    AUDIT_READ = "audit_read"
    AUDIT_EXPORTED = "audit_exported"
    AUDIT_PRUNED = "audit_pruned"
    SERVER_STARTED = "server_started"
    SERVER_STOPPED = "server_stopped"


class Outcomes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The segments that were asked for, by outcome.

    ``others`` keeps an answer about a whole catalog small: the outcome of every segment that the catalog
    offers for the purpose and that no list names. It is empty when the lists are complete.
    """

    member: tuple[str, ...] = ()
    not_member: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    mixed: tuple[str, ...] = ()
    """In a batch: the segments whose outcome is not the same for every subject; ``results_root`` commits to
    each.
    """
    others: str = ""


NO_OUTCOMES = Outcomes()


class Entry(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="v",
    tag=1,
):
    """One record of the log. Empty means that it does not apply to this kind.

    Names are segment ids, attribute names, purposes and callers as the catalog and the guard know them.
    """

    time: str
    """When it happened: RFC 3339 in UTC with microseconds; see :func:`timestamp`."""
    kind: Kind
    caller: str = ""
    request_id: str = ""
    """The evaluation id, or the id of the call."""
    purpose: str = ""
    legal_basis: str = ""
    subject: str = ""
    """The subject's audit pseudonym, a token; never a raw id."""
    result: str = "OK"
    """``OK``, or the stable reason of the error that the caller got."""
    segments: Outcomes = NO_OUTCOMES
    read: tuple[str, ...] = ()
    """The attributes and computed attributes that the answer could depend on, withheld and missing ones
    too.
    """
    missing: tuple[str, ...] = ()
    """Those of ``read`` for which there was no value."""
    withheld: Mapping[str, tuple[str, ...]] = {}
    """Those of ``read`` that privacy hid, by reason code."""
    failed: Mapping[str, tuple[str, ...]] = {}
    """Traits and segments that could not be computed, by reason code (``STRATEGY_FAILED``, ``ERROR``)."""
    consent: str = ""
    """The id of the consent record that was relied on."""
    catalog: str = ""
    """The digest of the catalog, which fixes every rule, setting and strategy version."""
    strategies: Mapping[str, str] = {}
    """Versions of the catalog's strategies by name: the digest fixes them, and they tell a reader who has
    only this entry.
    """
    inputs: str = ""
    """A keyed digest of the visible inputs: equal inputs are recognized, and none can be guessed without
    the key.
    """
    subjects: int = 0
    """In a batch: how many subjects were evaluated."""
    results_root: str = ""
    """In a batch: the Merkle root over every subject's result, in hexadecimal."""
    details: Mapping[str, str] = {}
    """What else this kind tells: a key's version, the denied method, the filters of an audit read; of an
    evaluation, ``as_of`` and the names of the attributes that the call ``brought``.
    """


class Sought(msgspec.Struct, frozen=True, kw_only=True, tag_field="v", tag=1):
    """The fields by which an :class:`Entry` is found. Decoding only these takes less than half the time."""

    time: str
    kind: Kind
    caller: str = ""
    purpose: str = ""
    subject: str = ""
    result: str = "OK"
    segments: Outcomes = NO_OUTCOMES
    withheld: Mapping[str, msgspec.Raw] = {}


_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(Entry)
_SOUGHT = msgspec.json.Decoder(Sought)
_BEFORE_TIME = b'{"v":1,"time":"'
_TIME = slice(len(_BEFORE_TIME), len(_BEFORE_TIME) + 27)


def encode(entry: Entry) -> bytes:
    """The canonical bytes of an entry: what is hashed and stored.

    Raises :class:`InvalidInput` above 64 KiB, and for text that is not valid Unicode.
    """
    try:
        payload = _ENCODER.encode(entry)
    except UnicodeEncodeError:
        raise InvalidInput("an audit entry's text is not valid Unicode", reason="ENTRY_INVALID") from None
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise InvalidInput(
            f"the audit entry of this would have {len(payload)} bytes, and may have {PAYLOAD_BYTES_MAX}: "
            "ask for less at once",
            reason="LIMIT_EXCEEDED",
            metadata={"limit": "audit_payload_bytes", "value": str(PAYLOAD_BYTES_MAX)},
        )
    return payload


def decode(payload: bytes) -> Entry:
    """The entry in these bytes. Raises :class:`IntegrityError` for bytes that are none of a known version."""
    return _decoded(_DECODER, payload)


def decode_sought(payload: bytes) -> Sought:
    """The fields by which the entry in these bytes is found. Raises as :func:`decode` does."""
    return _decoded(_SOUGHT, payload)


def time_of(payload: bytes) -> str:
    """The time of the entry in these bytes, read from its fixed place. Raises as :func:`decode` does."""
    if payload.startswith(_BEFORE_TIME) and payload[_TIME.stop : _TIME.stop + 1] == b'"':
        return payload[_TIME].decode("ascii", "replace")
    return decode_sought(payload).time


def _decoded(decoder: msgspec.json.Decoder[T], payload: bytes) -> T:
    try:
        return decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise IntegrityError(
            "a payload is no audit entry of a known version", reason="ENTRY_INVALID"
        ) from None


def timestamp_us(time_us: int) -> str:
    """:func:`timestamp` of microseconds since the epoch. Most entries of a second share its text."""
    second, microsecond = divmod(time_us, 1_000_000)
    return f"{_second(second)}.{microsecond:06d}Z"


@functools.lru_cache(maxsize=16)
def _second(second: int) -> str:
    return (_EPOCH + dt.timedelta(seconds=second)).isoformat()[:19]


def timestamp(time: dt.datetime) -> str:
    """The form of times in entries, such as ``2026-07-04T12:00:00.000000Z``.

    Its width is fixed, so text order is time order. Raises :class:`InvalidInput` for a time without a zone.
    """
    if time.tzinfo is None:
        raise InvalidInput("an audit entry's time needs a time zone", reason="ENTRY_INVALID")
    if time.tzinfo is not dt.UTC:
        time = time.astimezone(dt.UTC)
    return time.isoformat(timespec="microseconds")[:26] + "Z"
