"""PrivacyService."""

from __future__ import annotations

import json

from segserver.config import Limits
from segserver.engine import Engine
from segserver.errors import InvalidInput
from segserver.model import Caller
from segserver.privacy.processing import markdown
from segserver.privacy.rights import RequestKind
from segserver.rpc import convert
from segserver.storage.requests import RequestRow
from segserver.v1 import privacy_service_pb2 as pb


class PrivacyServicer:
    """Serves the rights of subjects."""

    def __init__(self, engine: Engine) -> None:
        self._rights = engine.rights
        self._now_us = engine.now_us
        self._limits: Limits = engine.config.limits

    async def ExportSubject(  # noqa: N802  the name in the proto
        self, request: pb.ExportSubjectRequest, caller: Caller
    ) -> pb.ExportSubjectResponse:
        """Exports a subject."""
        subject = convert.subject_id(request.subject, self._limits)
        return pb.ExportSubjectResponse(
            document=await self._rights.export(caller, subject, request.following)
        )

    async def ImportSubject(  # noqa: N802
        self, request: pb.ImportSubjectRequest, caller: Caller
    ) -> pb.ImportSubjectResponse:
        """Stores an exported subject again."""
        subject = convert.subject_id(request.subject, self._limits)
        return pb.ImportSubjectResponse(
            subject_token=await self._rights.restore(caller, subject, request.document)
        )

    async def RestrictSubject(  # noqa: N802
        self, request: pb.RestrictSubjectRequest, caller: Caller
    ) -> pb.RestrictSubjectResponse:
        """Restricts processing, or lifts it."""
        subject = convert.subject_id(request.subject, self._limits)
        token = await self._rights.restrict(caller, subject, lifted=request.lifted, reason=request.reason)
        return pb.RestrictSubjectResponse(subject_token=token)

    async def EraseSubject(  # noqa: N802
        self, request: pb.EraseSubjectRequest, caller: Caller
    ) -> pb.EraseSubjectResponse:
        """Erases a subject."""
        erased = await self._rights.erase(caller, convert.subject_id(request.subject, self._limits))
        return pb.EraseSubjectResponse(
            audit_token=erased.receipt.subject,
            erase_time=convert.timestamp(erased.receipt.erased_us),
            existed=erased.receipt.existed,
            removed=erased.receipt.removed,
            log_emptied=erased.log_emptied,
        )

    async def AddAlias(self, request: pb.AddAliasRequest, caller: Caller) -> pb.AddAliasResponse:  # noqa: N802
        """Joins two ids of one person."""
        subject = convert.subject_id(request.subject, self._limits)
        alias = convert.subject_id(request.alias, self._limits, "alias")
        return pb.AddAliasResponse(subject_token=await self._rights.add_alias(caller, subject, alias))

    async def OpenRequest(  # noqa: N802
        self, request: pb.OpenRequestRequest, caller: Caller
    ) -> pb.OpenRequestResponse:
        """Enters a request."""
        if request.kind not in list(RequestKind):
            raise InvalidInput.of(
                "kind", f"use one of {', '.join(RequestKind)}", reason="REQUEST_KIND_UNKNOWN"
            )
        subject = convert.subject_id(request.subject, self._limits)
        row = await self._rights.open_request(caller, subject, RequestKind(request.kind))
        return pb.OpenRequestResponse(request=self._request(row))

    async def CompleteRequest(  # noqa: N802
        self, request: pb.CompleteRequestRequest, caller: Caller
    ) -> pb.CompleteRequestResponse:
        """Marks a request as done."""
        await self._rights.complete_request(caller, request.request_id)
        return pb.CompleteRequestResponse()

    async def ListRequests(  # noqa: N802
        self,
        request: pb.ListRequestsRequest,
        caller: Caller,  # noqa: ARG002  every method takes its caller
    ) -> pb.ListRequestsResponse:
        """Lists open requests."""
        rows = await self._rights.requests(overdue_only=request.overdue_only)
        return pb.ListRequestsResponse(requests=[self._request(row) for row in rows])

    async def AskIdentification(  # noqa: N802
        self, request: pb.AskIdentificationRequest, caller: Caller
    ) -> pb.AskIdentificationResponse:
        """Asks to identify a subject."""
        request_id = await self._rights.ask_identification(caller, request.audit_token, request.reason)
        return pb.AskIdentificationResponse(request_id=request_id)

    async def ApproveIdentification(  # noqa: N802
        self, request: pb.ApproveIdentificationRequest, caller: Caller
    ) -> pb.ApproveIdentificationResponse:
        """Approves and identifies."""
        document = await self._rights.approve_identification(caller, request.request_id)
        return pb.ApproveIdentificationResponse(document=document)

    async def GetProcessingRecord(  # noqa: N802
        self,
        request: pb.GetProcessingRecordRequest,  # noqa: ARG002  it asks for all there is
        caller: Caller,  # noqa: ARG002
    ) -> pb.GetProcessingRecordResponse:
        """Writes the record of processing activities."""
        record = await self._rights.processing_record()
        text = json.dumps(record, indent=2, ensure_ascii=False)
        return pb.GetProcessingRecordResponse(json=text, markdown=markdown(record))

    def _request(self, row: RequestRow) -> pb.SubjectRequest:
        return pb.SubjectRequest(
            request_id=row.request_id,
            kind=row.kind,
            audit_token=row.subject,
            receive_time=convert.timestamp(row.received_us),
            due_time=convert.timestamp(row.due_us),
            overdue=row.due_us < self._now_us(),
        )
