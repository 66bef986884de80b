"""Recording what people decide, and telling how it stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.engine.answers import new_evaluation_id
from segserver.engine.serving import Serving
from segserver.model import Caller, SubjectId
from segserver.privacy.consent import Consents, CurrentConsent, Recorded
from segserver.privacy.profiles import Profiles
from segserver.privacy.pseudonyms import Pseudonyms
from segserver.privacy.receipt import Controller, read_receipt, receipt
from segserver.privacy.records import NEEDS_PURPOSE, OBJECTIONS, SIGNALLED, Record, RecordKind
from segserver.privacy.subject import SubjectState
from segserver.privacy.vault import Subject
from segserver.storage.contract import Reader
from segserver.storage.writer import Writer


@dataclass(frozen=True, slots=True)
class Decided:
    """A record that is durable. ``receipt`` is JSON; empty for what is no decision on a purpose."""

    recorded: Recorded
    subject_token: str
    receipt: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subject's decisions stand."""

    consents: Sequence[CurrentConsent]
    state: SubjectState
    subject_token: str


class ConsentDesk:
    """Writes decisions with their audit entries; reads leave entries too."""

    def __init__(
        self,
        reads: Reader,
        writer: Writer,
        pseudonyms: Pseudonyms,
        profiles: Profiles,
        consents: Consents,
        serving: Callable[[], Serving],
        now_us: Callable[[], int],
        controller: Controller,
    ) -> None:
        self._reads = reads
        self._writer = writer
        self._pseudonyms = pseudonyms
        self._profiles = profiles
        self._consents = consents
        self._serving = serving
        self._now_us = now_us
        self._controller = controller

    async def record(self, caller: Caller, subject: SubjectId, make: Callable[[int], Record]) -> Decided:
        """Records what ``make`` gives for the time of the call, and returns when it is durable and in force.

        Raises what :func:`segserver.privacy.records.check` raises, :class:`NotFound` for a subject that is
        not stored, and :class:`Unavailable`; nothing is stored then.
        """
        key = self._pseudonyms.subject_key(subject)
        policy = self._serving().catalog.policy
        record = make(self._now_us())
        work = self._consents.record(key, record, policy)
        written = await self._writer.write(work, lambda done: (self._recorded(caller, done),))
        done: Recorded = written.result
        token = self._token(done.subject, caller)
        proof = (
            receipt(done.number, record, token, policy, self._controller)
            if record.kind in NEEDS_PURPOSE
            else None
        )
        return Decided(done, token, "" if proof is None else json.dumps(proof, ensure_ascii=False))

    async def record_receipt(self, caller: Caller, subject: SubjectId, document: str) -> Decided:
        """Records the decision in a receipt that was made elsewhere. Raises :class:`InvalidInput` for a
        malformed one.
        """
        return await self.record(caller, subject, lambda now_us: read_receipt(document.encode(), now_us))

    async def current(self, caller: Caller, subject_id: SubjectId) -> Standing:
        """How the subject's decisions stand now, once the read is in the log. Raises :class:`NotFound`."""
        subject = await self._read(caller, subject_id, "consents")
        policy = self._serving().catalog.policy
        found = self._consents.current(subject, policy, self._now_us())
        return Standing(found, subject.state, self._token(subject, caller))

    async def history(
        self, caller: Caller, subject_id: SubjectId, *, before: int | None, rows: int
    ) -> list[tuple[int, Record]]:
        """Records with their numbers, the newest first, once the read is in the log. Raises
        :class:`NotFound`.
        """
        subject = await self._read(caller, subject_id, "consent_history")
        return await self._reads.read(
            lambda connection: self._consents.history(connection, subject, before=before, rows=rows)
        )

    async def _read(self, caller: Caller, subject_id: SubjectId, what: str) -> Subject:
        subject_key = self._pseudonyms.subject_key(subject_id)
        subject = await self._reads.read(lambda connection: self._profiles.require(connection, subject_key))
        entry = self._entry(Kind.PROFILE_READ, caller, subject, details={"read": what})
        await self._writer.write(None, (entry,))
        return subject

    def _token(self, subject: Subject, caller: Caller) -> str:
        return self._pseudonyms.recipient_token(subject.subject_key, subject.salt, caller.name)

    def _recorded(self, caller: Caller, done: Recorded) -> bytes:
        record = done.record
        details = {"decision": record.kind.value}
        if record.signal and record.kind in SIGNALLED:
            details["signal"] = record.signal
        return self._entry(
            _KINDS.get(record.kind, Kind.CONSENT_RECORDED),
            caller,
            done.subject,
            purpose=record.purpose if record.kind in NEEDS_PURPOSE | OBJECTIONS else "",
            consent=str(done.number),
            details=details,
        )

    def _entry(
        self,
        kind: Kind,
        caller: Caller,
        subject: Subject,
        *,
        purpose: str = "",
        consent: str = "",
        details: dict[str, str] | None = None,
    ) -> bytes:
        now_us = self._now_us()
        return encode(
            Entry(
                time=timestamp_us(now_us),
                kind=kind,
                caller=caller.name,
                request_id=new_evaluation_id(now_us),
                purpose=purpose,
                subject=self._pseudonyms.audit_token(subject.subject_key, subject.salt),
                consent=consent,
                catalog=self._serving().catalog.digest,
                details=details or {},
            )
        )


_KINDS = {
    RecordKind.WITHDRAWN: Kind.CONSENT_WITHDRAWN,
    RecordKind.OBJECTED: Kind.OBJECTION,
    RecordKind.OBJECTION_LIFTED: Kind.OBJECTION,
    RecordKind.SIGNAL_SET: Kind.SIGNAL,
    RecordKind.SIGNAL_CLEARED: Kind.SIGNAL,
    RecordKind.RESTRICTED: Kind.SUBJECT_RESTRICTED,
    RecordKind.RESTRICTION_LIFTED: Kind.SUBJECT_RESTRICTED,
}
