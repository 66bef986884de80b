"""The calls about consent and the rights of subjects; see :mod:`segserver.client.calls`.

Replies are JSON values with the field names of the protos: what they hold is for people and files, not for
rules.
"""

from __future__ import annotations

import datetime as dt
import functools
from typing import Any, TypeAlias

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from segserver.client.calls import Call, Subject, parse_subject
from segserver.v1 import consent_service_pb2 as consent_pb
from segserver.v1 import privacy_service_pb2 as privacy_pb
from segserver.v1 import value_pb2
from segserver.wire import timestamp_to_proto

Json: TypeAlias = dict[str, Any]

_CONSENT = "segserver.v1.ConsentService"
_PRIVACY = "segserver.v1.PrivacyService"


def record_consent(
    subject: Subject,
    purpose: str,
    *,
    granted: bool = True,
    at: dt.datetime | None = None,
    expires: dt.datetime | None = None,
    explicit: bool = False,
    notice_version: str = "",
    method: str = "",
    jurisdiction: str = "",
) -> Call[Json]:
    """Records that a subject granted, or refused, consent to a purpose."""
    decision = consent_pb.CONSENT_DECISION_GRANTED if granted else consent_pb.CONSENT_DECISION_REFUSED
    request = consent_pb.RecordConsentRequest(
        subject=_subject(subject),
        purpose=purpose,
        decision=decision,
        decision_time=_time(at, "decision_time"),
        expire_time=_time(expires, "expire_time"),
        explicit=explicit,
        notice_version=notice_version,
        method=method,
        jurisdiction=jurisdiction,
    )
    return _consent("RecordConsent", request, consent_pb.RecordConsentResponse)


def record_consent_receipt(subject: Subject, receipt: str) -> Call[Json]:
    """Records the decision in a receipt of the shape of ISO/IEC TS 27560."""
    request = consent_pb.RecordConsentRequest(subject=_subject(subject), receipt=receipt)
    return _consent("RecordConsent", request, consent_pb.RecordConsentResponse)


def withdraw_consent(subject: Subject, purpose: str, *, method: str = "") -> Call[Json]:
    """Ends a subject's consent to a purpose."""
    request = consent_pb.WithdrawConsentRequest(subject=_subject(subject), purpose=purpose, method=method)
    return _consent("WithdrawConsent", request, consent_pb.WithdrawConsentResponse)


def record_objection(
    subject: Subject, purpose: str = "", *, lifted: bool = False, method: str = "", reason: str = ""
) -> Call[Json]:
    """Records that a subject objects to a purpose, or to all direct marketing where none is named; or lifts
    that.
    """
    request = consent_pb.RecordObjectionRequest(
        subject=_subject(subject),
        purpose=purpose,
        all_marketing=not purpose,
        lifted=lifted,
        method=method,
        reason=reason,
    )
    return _consent("RecordObjection", request, consent_pb.RecordObjectionResponse)


def record_privacy_signal(
    subject: Subject, signal: str, *, cleared: bool = False, method: str = "", jurisdiction: str = ""
) -> Call[Json]:
    """Records a privacy signal, ``gpc`` or ``limit_sensitive``, or that it ended."""
    request = consent_pb.RecordPrivacySignalRequest(
        subject=_subject(subject), signal=signal, cleared=cleared, method=method, jurisdiction=jurisdiction
    )
    return _consent("RecordPrivacySignal", request, consent_pb.RecordPrivacySignalResponse)


def consents(subject: Subject) -> Call[Json]:
    """How a subject's decisions stand now."""
    request = consent_pb.GetConsentsRequest(subject=_subject(subject))
    return _consent("GetConsents", request, consent_pb.GetConsentsResponse)


def consent_history(subject: Subject, page_size: int = 0, page_token: str = "") -> Call[Json]:
    """A page of a subject's records with their evidence, newest first."""
    request = consent_pb.ListConsentHistoryRequest(
        subject=_subject(subject), page_size=page_size, page_token=page_token
    )
    return _consent("ListConsentHistory", request, consent_pb.ListConsentHistoryResponse)


def export_subject(subject: Subject, following: str = "") -> Call[bytes]:
    """Everything that is stored about a subject, as a JSON document. Many events take several: the field
    ``following`` of each is what to ask for here to get the next, and empty in the last.
    """
    request = privacy_pb.ExportSubjectRequest(subject=_subject(subject), following=following)
    return Call(
        _PRIVACY,
        "ExportSubject",
        request,
        privacy_pb.ExportSubjectResponse,
        lambda reply: bytes(reply.document),
        lasting=True,
    )


def import_subject(subject: Subject, document: bytes) -> Call[Json]:
    """Stores an exported subject again; of an export in several documents, the first first."""
    request = privacy_pb.ImportSubjectRequest(subject=_subject(subject), document=document)
    return _privacy("ImportSubject", request, privacy_pb.ImportSubjectResponse)


def restrict_subject(subject: Subject, *, lifted: bool = False, reason: str = "") -> Call[Json]:
    """Restricts processing of a subject, or lifts that."""
    request = privacy_pb.RestrictSubjectRequest(subject=_subject(subject), lifted=lifted, reason=reason)
    return _privacy("RestrictSubject", request, privacy_pb.RestrictSubjectResponse)


def erase_subject(subject: Subject) -> Call[Json]:
    """Erases a subject; the reply is the receipt."""
    request = privacy_pb.EraseSubjectRequest(subject=_subject(subject))
    return _privacy("EraseSubject", request, privacy_pb.EraseSubjectResponse, lasting=True)


def add_alias(subject: Subject, alias: Subject) -> Call[Json]:
    """Makes one more id of the same person lead to its subject."""
    request = privacy_pb.AddAliasRequest(subject=_subject(subject), alias=_subject(alias))
    return _privacy("AddAlias", request, privacy_pb.AddAliasResponse)


def open_request(subject: Subject, kind: str) -> Call[Json]:
    """Enters a subject's request, which is due in a month."""
    request = privacy_pb.OpenRequestRequest(subject=_subject(subject), kind=kind)
    return _privacy("OpenRequest", request, privacy_pb.OpenRequestResponse)


def complete_request(request_id: str) -> Call[Json]:
    """Marks a request as done."""
    request = privacy_pb.CompleteRequestRequest(request_id=request_id)
    return _privacy("CompleteRequest", request, privacy_pb.CompleteRequestResponse)


def requests(*, overdue_only: bool = False) -> Call[Json]:
    """Open requests, the most urgent first."""
    request = privacy_pb.ListRequestsRequest(overdue_only=overdue_only)
    return _privacy("ListRequests", request, privacy_pb.ListRequestsResponse)


def ask_identification(audit_token: str, reason: str) -> Call[Json]:
    """Asks, as the first officer, to identify a subject."""
    request = privacy_pb.AskIdentificationRequest(audit_token=audit_token, reason=reason)
    return _privacy("AskIdentification", request, privacy_pb.AskIdentificationResponse)


def approve_identification(request_id: str) -> Call[bytes]:
    """Approves, as the second officer; the reply is what :func:`export_subject` gives."""
    return Call(
        _PRIVACY,
        "ApproveIdentification",
        privacy_pb.ApproveIdentificationRequest(request_id=request_id),
        privacy_pb.ApproveIdentificationResponse,
        lambda reply: bytes(reply.document),
        lasting=True,
    )


def processing_record() -> Call[Json]:
    """The record of processing activities, as ``json`` and ``markdown``."""
    request = privacy_pb.GetProcessingRecordRequest()
    return _privacy("GetProcessingRecord", request, privacy_pb.GetProcessingRecordResponse)


_read = functools.partial(
    MessageToDict, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
)


def _consent(method: str, request: Message, reply: type[Message]) -> Call[Json]:
    return Call(_CONSENT, method, request, reply, _read)


def _privacy(method: str, request: Message, reply: type[Message], *, lasting: bool = False) -> Call[Json]:
    return Call(_PRIVACY, method, request, reply, _read, lasting=lasting)


def _subject(subject: Subject) -> value_pb2.SubjectId:
    parsed = parse_subject(subject)
    return value_pb2.SubjectId(type=parsed.type, id=parsed.id)


def _time(time: dt.datetime | None, field: str) -> Timestamp | None:
    return None if time is None else timestamp_to_proto(time, field)
