"""ConsentService."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from segserver.config import Limits
from segserver.engine import Engine
from segserver.engine.consent import Decided
from segserver.errors import InvalidInput
from segserver.model import Caller
from segserver.privacy.gate import Consent
from segserver.privacy.records import Record, RecordKind
from segserver.privacy.subject import MARKETING
from segserver.rpc import convert
from segserver.v1 import consent_service_pb2 as pb

PAGE_SIZE_DEFAULT = 100
PAGE_SIZE_MAX = 1_000

_DECISIONS = {
    pb.CONSENT_DECISION_GRANTED: RecordKind.GRANTED,
    pb.CONSENT_DECISION_REFUSED: RecordKind.REFUSED,
}
_STANDINGS = {consent: f"CONSENT_STANDING_{consent.name}" for consent in Consent}


class ConsentServicer:
    """Records decisions, and tells how they stand."""

    def __init__(self, engine: Engine) -> None:
        self._consents = engine.consents
        self._limits: Limits = engine.config.limits

    async def RecordConsent(  # noqa: N802  the name in the proto
        self, request: pb.RecordConsentRequest, caller: Caller
    ) -> pb.RecordConsentResponse:
        """Records a grant or a refusal."""
        subject = convert.subject_id(request.subject, self._limits)
        if request.receipt:
            if len(request.receipt.encode()) > self._limits.string_bytes_max:
                raise convert.too_long("receipt", "string_bytes_max", self._limits.string_bytes_max)
            done = await self._consents.record_receipt(caller, subject, request.receipt)
        else:
            kind = _DECISIONS.get(request.decision)
            if kind is None:
                raise InvalidInput.of("decision", "say GRANTED or REFUSED", reason="CONSENT_DECISION_MISSING")
            at_us = _optional_us(request, "decision_time")
            expires_us = _optional_us(request, "expire_time")

            def make(now_us: int) -> Record:
                return Record(
                    kind=kind,
                    purpose=request.purpose,
                    at_us=now_us if at_us is None else at_us,
                    recorded_us=now_us,
                    expires_us=expires_us,
                    explicit=request.explicit,
                    notice_version=request.notice_version,
                    method=request.method,
                    actor=caller.name,
                    jurisdiction=request.jurisdiction,
                )

            done = await self._consents.record(caller, subject, make)
        return pb.RecordConsentResponse(
            record=_recorded(done),
            subject_token=done.subject_token,
            standing=_STANDINGS[done.recorded.standing],
            receipt=done.receipt,
        )

    async def WithdrawConsent(  # noqa: N802
        self, request: pb.WithdrawConsentRequest, caller: Caller
    ) -> pb.WithdrawConsentResponse:
        """Ends a consent."""

        def make(now_us: int) -> Record:
            return Record(
                kind=RecordKind.WITHDRAWN,
                purpose=request.purpose,
                at_us=now_us,
                recorded_us=now_us,
                method=request.method,
                actor=caller.name,
            )

        done = await self._consents.record(caller, convert.subject_id(request.subject, self._limits), make)
        return pb.WithdrawConsentResponse(
            record=_recorded(done), subject_token=done.subject_token, receipt=done.receipt
        )

    async def RecordObjection(  # noqa: N802
        self, request: pb.RecordObjectionRequest, caller: Caller
    ) -> pb.RecordObjectionResponse:
        """Records an objection, or lifts it."""
        if bool(request.purpose) is request.all_marketing:
            raise InvalidInput.of(
                "purpose", "name a purpose, or say all_marketing, and not both", reason="OBJECTION_UNCLEAR"
            )

        def make(now_us: int) -> Record:
            return Record(
                kind=RecordKind.OBJECTION_LIFTED if request.lifted else RecordKind.OBJECTED,
                purpose=MARKETING if request.all_marketing else request.purpose,
                at_us=now_us,
                recorded_us=now_us,
                method=request.method,
                actor=caller.name,
                reason=request.reason,
            )

        done = await self._consents.record(caller, convert.subject_id(request.subject, self._limits), make)
        return pb.RecordObjectionResponse(record=_recorded(done), subject_token=done.subject_token)

    async def RecordPrivacySignal(  # noqa: N802
        self, request: pb.RecordPrivacySignalRequest, caller: Caller
    ) -> pb.RecordPrivacySignalResponse:
        """Records a signal, or that it ended."""

        def make(now_us: int) -> Record:
            return Record(
                kind=RecordKind.SIGNAL_CLEARED if request.cleared else RecordKind.SIGNAL_SET,
                signal=request.signal,
                at_us=now_us,
                recorded_us=now_us,
                method=request.method,
                actor=caller.name,
                jurisdiction=request.jurisdiction,
            )

        done = await self._consents.record(caller, convert.subject_id(request.subject, self._limits), make)
        return pb.RecordPrivacySignalResponse(record=_recorded(done), subject_token=done.subject_token)

    async def GetConsents(  # noqa: N802
        self, request: pb.GetConsentsRequest, caller: Caller
    ) -> pb.GetConsentsResponse:
        """Tells how decisions stand."""
        found = await self._consents.current(caller, convert.subject_id(request.subject, self._limits))
        state = found.state
        return pb.GetConsentsResponse(
            consents=[
                pb.PurposeConsent(
                    purpose=item.purpose,
                    standing=_STANDINGS[item.standing],
                    record_number=0 if item.decision is None else item.decision.record,
                    expire_time=_time(None if item.decision is None else item.decision.expires_us),
                    objection_time=_time(item.objected_us),
                )
                for item in found.consents
                if item.purpose != MARKETING
            ],
            subject_token=found.subject_token,
            marketing_objection_time=_time(state.objections.get(MARKETING)),
            signals=sorted(state.signals),
            restrict_time=_time(state.restricted_us),
            jurisdiction=state.jurisdiction,
        )

    async def ListConsentHistory(  # noqa: N802
        self, request: pb.ListConsentHistoryRequest, caller: Caller
    ) -> pb.ListConsentHistoryResponse:
        """Lists records, newest first. A page token is the number before which to go on."""
        rows = min(request.page_size, PAGE_SIZE_MAX) if request.page_size > 0 else PAGE_SIZE_DEFAULT
        token = request.page_token
        if token and not (token.isascii() and token.isdigit() and len(token) < 19):
            raise InvalidInput.of("page_token", "is none that this server gave", reason="PAGE_TOKEN_INVALID")
        subject = convert.subject_id(request.subject, self._limits)
        found = await self._consents.history(caller, subject, before=int(token) if token else None, rows=rows)
        last = found[-1][0] if found else 1
        return pb.ListConsentHistoryResponse(
            records=[_record(number, record) for number, record in found],
            next_page_token=str(last) if last > 1 else "",
        )


def _recorded(done: Decided) -> pb.ConsentRecord:
    return _record(done.recorded.number, done.recorded.record)


def _record(number: int, record: Record) -> pb.ConsentRecord:
    return pb.ConsentRecord(
        number=number,
        kind=record.kind.value,
        purpose=record.purpose,
        signal=record.signal,
        decision_time=convert.timestamp(record.at_us),
        record_time=convert.timestamp(record.recorded_us),
        expire_time=_time(record.expires_us),
        explicit=record.explicit,
        notice_version=record.notice_version,
        method=record.method,
        actor=record.actor,
        jurisdiction=record.jurisdiction,
        reason=record.reason,
    )


def _time(time_us: int | None) -> Timestamp | None:
    return None if time_us is None else convert.timestamp(time_us)


def _optional_us(request: pb.RecordConsentRequest, field: str) -> int | None:
    return convert.time_us(getattr(request, field), field) if request.HasField(field) else None
