"""What a person may ask: access, rectification, restriction, erasure, and the clock that runs on each (GDPR
art. 12 to 20).

Rectifying is writing the profile; restricting and lifting are records of the ledger. Here is the rest.
"""

from __future__ import annotations

import calendar
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from segserver.errors import (
    Conflict,
    FailedPrecondition,
    IntegrityError,
    InvalidInput,
    NotFound,
    PermissionDenied,
)
from segserver.privacy.export import Imported
from segserver.privacy.gate import Gate
from segserver.privacy.profiles import Profiles
from segserver.privacy.pseudonyms import AUDIT_TOKEN, NO_SALT, Pseudonyms
from segserver.privacy.records import encode
from segserver.privacy.vault import Subject, Vault
from segserver.rules.times import from_datetime, to_datetime
from segserver.storage.consents import ConsentRecords
from segserver.storage.contract import Connection
from segserver.storage.requests import IdentificationRow, RequestRow, Requests
from segserver.storage.subjects import Subjects

REASON_CHARACTERS_MIN = 10
REQUESTS_LISTED_MAX = 1_000
SWEEP_ROWS = 200
"""Subjects in one transaction of the sweep: about 8 ms."""
REST_ROWS = 64
"""Subjects that the sweep opens, about a millisecond, before it lets others go first."""

Eraser = Callable[[Connection, bytes], int]
"""Removes what another room keeps under a subject key, inside the erasure's transaction; how many rows it
was.
"""


class RequestKind(StrEnum):
    """What a person asked for."""

    ACCESS = "access"
    RECTIFY = "rectify"
    RESTRICT = "restrict"
    ERASE = "erase"
    OBJECT = "object"
    PORT = "port"


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What an erasure removed. A second one of the same subject finds nothing, and says so."""

    subject: str
    """The audit token that led to the subject until now."""
    erased_us: int
    existed: bool
    removed: Mapping[str, int]
    """What was removed → how many."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed of one subject, which stands here by its audit token."""

    subject: str
    attributes: tuple[str, ...]
    others: Mapping[str, int] = field(default_factory=dict)
    """What else was removed → how many."""


@dataclass(frozen=True, slots=True)
class Aging:
    """What another room keeps of subjects, for a time only."""

    is_over: Callable[[Connection, Subject], bool]
    """Whether something of a subject is past its time."""
    remove: Callable[[Connection, Subject], Mapping[str, int]]
    """Removes that; what it was → how many."""


NOTHING_AGES = Aging(lambda _connection, _subject: False, lambda _connection, _subject: {})


class Rights:
    """Carries out what subjects ask for."""

    def __init__(
        self,
        vault: Vault,
        profiles: Profiles,
        subjects: Subjects,
        records: ConsentRecords,
        pseudonyms: Pseudonyms,
        erasers: Mapping[str, Eraser] | None = None,
    ) -> None:
        self._vault = vault
        self._profiles = profiles
        self._subjects = subjects
        self._records = records
        self._pseudonyms = pseudonyms
        self._erasers = dict(erasers or {})

    def erase(self, subject_key: bytes, now_us: int) -> Callable[[Connection], ErasureReceipt]:
        """The work that forgets a subject: its data key and salt, profile, decisions, aliases, and what the
        erasers keep.

        Repeatable. Once it is durable, call :func:`segserver.storage.contract.Database.forget`: until
        then, the write-ahead log holds the pages as they were before.
        """

        def work(connection: Connection) -> ErasureReceipt:
            row = self._subjects.get(connection, subject_key)
            key = subject_key if row is None else row.subject_key
            removed = {name: eraser(connection, key) for name, eraser in sorted(self._erasers.items())}
            removed["aliases"] = len(self._subjects.aliases(connection, key))
            removed["consent records"] = self._records.erase(connection, key)
            removed["profiles"] = int(self._subjects.erase(connection, key))
            token = self._pseudonyms.audit_token(key, NO_SALT if row is None else row.salt)
            return ErasureReceipt(token, now_us, row is not None, removed)

        return work

    def restore(self, subject_key: bytes, given: Imported, now_us: int) -> Callable[[Connection], Subject]:
        """The work that stores an exported subject again, with its times, decisions and evidence; its events
        are for the caller to add. It raises :class:`Conflict` when the subject is stored already.
        """

        def work(connection: Connection) -> Subject:
            if self._subjects.get(connection, subject_key) is not None:
                raise Conflict("the subject is stored already: erase it first", reason="SUBJECT_EXISTS")
            created = self._profiles.obtain(connection, subject_key)
            subject = self._profiles.store(
                connection, created, now_us, profile=given.profile, state=given.state
            )
            for number, record in given.records:
                evidence = self._vault.seal_evidence(subject, number, encode(record))
                self._records.append(connection, subject_key, number, evidence)
            return subject

        return work

    def join(self, alias_key: bytes, subject_key: bytes, now_us: int) -> Callable[[Connection], Subject]:
        """The work that makes one more id of the same person lead to its subject.

        It raises :class:`NotFound` for a subject that is not stored, :class:`Conflict` when anything
        is stored under the other id (attributes, decisions, events) or it leads elsewhere: which decisions
        then hold is not for a program to say. Lists that name the other id name the subject from then on.
        """

        def work(connection: Connection) -> Subject:
            subject = self._profiles.require(connection, subject_key)
            led_to = self._subjects.get(connection, alias_key)
            if led_to is not None and led_to.subject_key != subject.subject_key:
                raise Conflict(
                    "something is stored under the other id already, a profile, decisions or events: "
                    "export it and erase it, then join the ids",
                    reason="ALIAS_TAKEN",
                )
            if led_to is None:
                self._subjects.put_alias(connection, alias_key, subject.subject_key)
                self._profiles.touch(connection, subject, now_us, "ALIAS")
            return subject

        return work

    def expired(
        self,
        connection: Connection,
        gate: Gate,
        now_us: int,
        rest: Callable[[], bool] = lambda: False,
        aging: Aging = NOTHING_AGES,
    ) -> Iterator[list[bytes]]:
        """The subject keys that hold an expired value, or what ``aging`` finds, in lists for :meth:`sweep`.
        Opens every subject: about 15 µs each, beside what ``aging`` takes.

        ``rest`` is called after every few subjects, and ends the search by returning true.
        """
        found: list[bytes] = []
        for page in self._subjects.pages(connection):
            for number, row in enumerate(page):
                if number % REST_ROWS == 0 and rest():
                    return
                try:
                    subject = self._vault.open(row)
                except IntegrityError:
                    continue  # a damaged row must not keep the others' data past their time
                current = gate.current(subject.profile, now_us)
                if len(current) < len(subject.profile.values) or aging.is_over(connection, subject):
                    found.append(row.subject_key)
            while len(found) >= SWEEP_ROWS:
                yield found[:SWEEP_ROWS]
                del found[:SWEEP_ROWS]
        if found:
            yield found

    def sweep(
        self, subject_keys: list[bytes], gate: Gate, now_us: int, aging: Aging = NOTHING_AGES
    ) -> Callable[[Connection], list[Swept]]:
        """The work that removes expired values of these subjects, and what ``aging`` finds; what that was."""

        def work(connection: Connection) -> list[Swept]:
            removed = []
            for key in subject_keys:
                subject = self._profiles.get(connection, key)
                if subject is None:
                    continue
                values = subject.profile.values
                expired = frozenset(values.keys() - gate.current(subject.profile, now_us).keys())
                if expired:
                    profile = subject.profile.without(expired)
                    self._profiles.store(connection, subject, now_us, profile=profile)
                others = aging.remove(connection, subject)
                if expired or others:
                    token = self._pseudonyms.audit_token(subject.subject_key, subject.salt)
                    removed.append(Swept(token, tuple(sorted(expired)), others))
            return removed

        return work


class Register:
    """The register of requests: each is due one month after it came (art. 12(3)), and open ones can be
    listed.
    """

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def open(self, kind: RequestKind, subject: str, now_us: int) -> Callable[[Connection], RequestRow]:
        """The work that enters a request of the subject with this audit token."""
        row = RequestRow(secrets.token_hex(8), kind.value, subject, now_us, month_after(now_us), None)

        def work(connection: Connection) -> RequestRow:
            self._requests.put(connection, row)
            return row

        return work

    def complete(self, request_id: str, now_us: int) -> Callable[[Connection], RequestRow]:
        """The work that marks a request as done. It raises :class:`NotFound` unless the request is open."""

        def work(connection: Connection) -> RequestRow:
            row = self._requests.get(connection, request_id)
            if row is None or not self._requests.complete(connection, request_id, now_us):
                raise NotFound("there is no open request of this id", reason="REQUEST_NOT_FOUND")
            return row._replace(completed_us=now_us)

        return work

    def pending(self, connection: Connection) -> list[RequestRow]:
        """Open requests, the most urgent first."""
        return self._requests.open(connection, due_before_us=2**62, rows=REQUESTS_LISTED_MAX)

    def overdue(self, connection: Connection, now_us: int) -> list[RequestRow]:
        """Open requests whose month is over, the oldest first."""
        return self._requests.open(connection, due_before_us=now_us, rows=REQUESTS_LISTED_MAX)


class Identifications:
    """Leads from an audit token back to a subject, when two officers agree and say why.

    No raw id is stored: what an officer gets is the subject's profile, identifiers and contacts included.
    """

    def __init__(self, requests: Requests, subjects: Subjects, pseudonyms: Pseudonyms) -> None:
        self._requests = requests
        self._subjects = subjects
        self._pseudonyms = pseudonyms

    def ask(
        self, token: str, reason: str, officer: str, now_us: int
    ) -> Callable[[Connection], IdentificationRow]:
        """The work that enters the first officer's request. Raises :class:`InvalidInput` for what is no token
        of the audit log, and for an empty or short reason.
        """
        if not AUDIT_TOKEN.fullmatch(token):
            raise InvalidInput.of("audit_token", "is not a token of the audit log", reason="TOKEN_INVALID")
        text = reason.strip()
        if len(text) < REASON_CHARACTERS_MIN or not text.isprintable():
            raise InvalidInput.of("reason", "say why, in one sentence", reason="REASON_MISSING")
        row = IdentificationRow(secrets.token_hex(8), token, text, officer, now_us, None)

        def work(connection: Connection) -> IdentificationRow:
            self._requests.put_identification(connection, row)
            return row

        return work

    def approve(self, request_id: str, officer: str) -> Callable[[Connection], IdentificationRow]:
        """The work that enters the second officer. It raises :class:`PermissionDenied` when that is the first
        one, :class:`NotFound` for an unknown request, :class:`FailedPrecondition` when it was approved
        before: each approval identifies once.
        """

        def work(connection: Connection) -> IdentificationRow:
            row = self._requests.identification(connection, request_id)
            if row is None:
                raise NotFound("there is no such request", reason="REQUEST_NOT_FOUND")
            if row.asked_by == officer:
                raise PermissionDenied("another officer must approve this", reason="SECOND_OFFICER_REQUIRED")
            if not self._requests.approve_identification(connection, request_id, officer):
                raise FailedPrecondition("this request was approved before", reason="REQUEST_USED")
            return row._replace(approved_by=officer)

        return work

    def find(self, connection: Connection, token: str) -> bytes:
        """The subject key behind an audit token: reads every subject, about 5 µs each.

        Raises :class:`NotFound`, also for a subject that was erased: then nothing leads back.
        """
        for page in self._subjects.pages(connection):
            for row in page:
                if self._pseudonyms.audit_token(row.subject_key, row.salt) == token:
                    return row.subject_key
        raise NotFound("no stored subject has this token", reason="SUBJECT_NOT_FOUND")


def month_after(time_us: int) -> int:
    """The same day and time of the next month, or that month's last day when it is shorter (Regulation
    1182/71 art. 3).
    """
    start = to_datetime(time_us)
    year, month = (start.year + 1, 1) if start.month == 12 else (start.year, start.month + 1)
    day = min(start.day, calendar.monthrange(year, month)[1])
    return from_datetime(start.replace(year=year, month=month, day=day))
