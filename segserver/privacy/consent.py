"""The consent ledger: what each person decided, with evidence, and the state that the gate reads.

A record and the state that follows from it are written in one transaction. An evaluation reads that state
from the store each time, so one that begins after a withdrawal returned can't use the grant, in whichever
process it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from segserver.privacy.gate import Consent, standing
from segserver.privacy.policy import Policy
from segserver.privacy.profiles import Profiles
from segserver.privacy.records import Record, RecordKind, check, decode, encode
from segserver.privacy.subject import Decision, Status, SubjectState
from segserver.privacy.vault import Subject, Vault
from segserver.storage.consents import ConsentRecords
from segserver.storage.contract import Connection

PAGE_ROWS_MAX = 1_000

_STATUS = {
    RecordKind.GRANTED: Status.GRANTED,
    RecordKind.REFUSED: Status.REFUSED,
    RecordKind.WITHDRAWN: Status.WITHDRAWN,
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A record that is in the ledger, and the subject as it is after it."""

    number: int
    record: Record
    subject: Subject
    standing: Consent
    """How the subject's decision on the record's purpose stands now."""


@dataclass(frozen=True, slots=True)
class CurrentConsent:
    """How one purpose stands for a subject."""

    purpose: str
    standing: Consent
    decision: Decision | None
    objected_us: int | None


class Consents:
    """Records decisions and tells how they stand."""

    def __init__(self, vault: Vault, profiles: Profiles, records: ConsentRecords) -> None:
        self._vault = vault
        self._profiles = profiles
        self._records = records

    def record(self, subject_key: bytes, record: Record, policy: Policy) -> Callable[[Connection], Recorded]:
        """The work that adds this record to the subject's ledger.

        Raises at once what :func:`~segserver.privacy.records.check` raises. The work raises :class:`NotFound`
        for a subject that is not stored, and :class:`IntegrityError` when its present decisions can't be
        read; nothing is stored then.
        """
        check(record, policy)

        def work(connection: Connection) -> Recorded:
            subject = self._profiles.require(connection, subject_key)
            number = subject.state.records + 1
            state = following(subject.state, record, number)
            fresh = self._profiles.store(connection, subject, record.recorded_us, state=state)
            evidence = self._vault.seal_evidence(fresh, number, encode(record))
            self._records.append(connection, fresh.subject_key, number, evidence)
            return Recorded(number, record, fresh, standing(state, record.purpose, record.recorded_us))

        return work

    def current(self, subject: Subject, policy: Policy, now_us: int) -> list[CurrentConsent]:
        """Every purpose that the catalog defines or the subject decided on, sorted by name."""
        state = subject.state
        names = {*policy.purposes, *state.consents, *state.objections}
        return [
            CurrentConsent(
                name, standing(state, name, now_us), state.consents.get(name), state.objections.get(name)
            )
            for name in sorted(names)
        ]

    def history(
        self,
        connection: Connection,
        subject: Subject,
        *,
        before: int | None = None,
        rows: int = PAGE_ROWS_MAX,
    ) -> list[tuple[int, Record]]:
        """The subject's records with their numbers, the newest first. Raises :class:`IntegrityError`."""
        start = subject.state.records + 1 if before is None else before
        page = self._records.page(
            connection, subject.subject_key, before=start, rows=min(rows, PAGE_ROWS_MAX)
        )
        return [
            (number, decode(self._vault.open_evidence(subject, number, evidence)))
            for number, evidence in page
        ]


def following(state: SubjectState, record: Record, number: int) -> SubjectState:
    """The state after a record. Pure.

    Of two decisions on one purpose the later counts, by when the person made them and not by when they
    arrived; of two at one moment, the no. A withdrawal always counts, and from when the server learned it: no
    grant that was made before can end it.
    """
    state = replace(state, records=number, jurisdiction=record.jurisdiction or state.jurisdiction)
    if record.kind in _STATUS:
        return replace(state, consents=_decided(state.consents, record, number))
    if record.kind is RecordKind.OBJECTED:
        return replace(state, objections={**state.objections, record.purpose: record.at_us})
    if record.kind is RecordKind.OBJECTION_LIFTED:
        return replace(state, objections=_without(state.objections, record.purpose))
    if record.kind is RecordKind.SIGNAL_SET:
        return replace(state, signals={**state.signals, record.signal: record.at_us})
    if record.kind is RecordKind.SIGNAL_CLEARED:
        return replace(state, signals=_without(state.signals, record.signal))
    restricted = record.at_us if record.kind is RecordKind.RESTRICTED else None
    return replace(state, restricted_us=restricted)


def _decided(consents: Mapping[str, Decision], record: Record, number: int) -> dict[str, Decision]:
    status = _STATUS[record.kind]
    before = consents.get(record.purpose)
    at_us = record.at_us
    if status is Status.WITHDRAWN:
        at_us = max(record.recorded_us, before.at_us if before else 0)
    elif before is not None:
        is_tie_with_no = (
            before.at_us == at_us and status is Status.GRANTED and before.status is not Status.GRANTED
        )
        if before.at_us > at_us or is_tie_with_no:
            return dict(consents)
    return {**consents, record.purpose: Decision(status, number, at_us, record.expires_us, record.explicit)}


def _without(times: Mapping[str, int], name: str) -> dict[str, int]:
    return {other: at for other, at in times.items() if other != name}
