"""Serving the rights of subjects: each act with its audit entry, durable before the reply."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.audit.search import PAGE_ENTRIES_MAX, Filter, search
from segserver.catalog import Catalog
from segserver.engine.answers import new_evaluation_id
from segserver.engine.behavior import event_categories
from segserver.engine.consent import ConsentDesk
from segserver.engine.corridor import Corridor, Question
from segserver.engine.portable import PortableEvents, lists_of, moves
from segserver.engine.results import run
from segserver.engine.serving import Serving
from segserver.engine.store import Store
from segserver.model import Caller, SubjectId
from segserver.privacy.consent import Consents
from segserver.privacy.export import (
    NO_EVENTS,
    Derived,
    ExportedMove,
    Portion,
    export,
    export_following,
    read,
)
from segserver.privacy.processing import Behavior, Sources, processing_record
from segserver.privacy.processing import Kind as BehaviorKind
from segserver.privacy.profiles import Profiles
from segserver.privacy.pseudonyms import NO_SALT, Pseudonyms
from segserver.privacy.receipt import Controller
from segserver.privacy.records import Record, RecordKind
from segserver.privacy.rights import ErasureReceipt, Identifications, Register, RequestKind, Rights
from segserver.privacy.vault import Subject
from segserver.storage import callers
from segserver.storage.contract import Connection
from segserver.storage.requests import RequestRow

EXPORTER = "segserver/export"


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure left. ``log_emptied`` is false when a reader kept the write-ahead log from being
    emptied.
    """

    receipt: ErasureReceipt
    log_emptied: bool


@dataclass(frozen=True, slots=True)
class _Behavior:
    """What a subject did, and when it entered and left segments and which lists name it."""

    portion: Portion = NO_EVENTS
    moves: Sequence[ExportedMove] = ()
    lists: Sequence[str] = ()


class RightsDesk:
    """What an officer, or a service that serves subjects, can ask for."""

    def __init__(
        self,
        store: Store,
        pseudonyms: Pseudonyms,
        profiles: Profiles,
        consents: Consents,
        rights: Rights,
        register: Register,
        identifications: Identifications,
        ledger: ConsentDesk,
        corridor: Corridor,
        serving: Callable[[], Serving],
        now_us: Callable[[], int],
        controller: Controller,
        events: PortableEvents,
    ) -> None:
        self._store = store
        self._pseudonyms = pseudonyms
        self._profiles = profiles
        self._consents = consents
        self._rights = rights
        self._register = register
        self._identifications = identifications
        self._ledger = ledger
        self._corridor = corridor
        self._serving = serving
        self._now_us = now_us
        self._controller = controller
        self._events = events

    async def export(self, caller: Caller, subject_id: SubjectId, following: str = "") -> bytes:
        """Everything about a subject as JSON, once the export is in the log; with ``following``, the document
        after the one that says so. Raises :class:`NotFound`, :class:`InvalidInput`.
        """
        key = self._pseudonyms.subject_key(subject_id)
        subject = await self._store.reads.read(lambda connection: self._profiles.require(connection, key))
        behavior = await asyncio.to_thread(self._behavior, subject, following)
        if following:
            document = export_following(self._token(subject, caller), behavior.portion)
        else:
            memberships, sources = await self._memberships(subject_id), await self._sources(subject)
            document = await self._document(caller, subject, memberships, sources, behavior)
        await self._log(Kind.SUBJECT_EXPORTED, caller, self._audit(subject))
        return document

    async def restore(self, caller: Caller, subject_id: SubjectId, document: bytes) -> str:
        """Stores an exported subject; its token for the caller. A document after the first adds its events.
        Raises :class:`InvalidInput`, :class:`Conflict`, and :class:`NotFound` when the first is missing.
        """
        given, now_us = read(document), self._now_us()
        key = self._pseudonyms.subject_key(subject_id)
        first = self._rights.restore(key, given, now_us)

        def work(connection: Connection) -> Subject:
            is_later = given.events_before > 0
            subject = self._profiles.require(connection, key) if is_later else first(connection)
            if self._events.restore(connection, subject, given, self._serving().catalog):
                self._profiles.touch(connection, subject, now_us, "EVENTS")
            return subject

        names = tuple(sorted(given.profile.values))
        counts = {f"event {name}": str(len(events)) for name, events in sorted(given.events.items())}
        written = await self._store.writer.write(
            work,
            lambda subject: (
                self._entry(
                    Kind.PROFILE_WRITTEN,
                    caller,
                    self._audit(subject),
                    {"imported": "true", **counts},
                    read=names,
                ),
            ),
        )
        return self._token(written.result, caller)

    async def restrict(self, caller: Caller, subject_id: SubjectId, *, lifted: bool, reason: str) -> str:
        """Restricts processing, or lifts it; the subject's token for the caller. Raises :class:`NotFound`."""
        kind = RecordKind.RESTRICTION_LIFTED if lifted else RecordKind.RESTRICTED

        def make(now_us: int) -> Record:
            return Record(kind=kind, at_us=now_us, recorded_us=now_us, actor=caller.name, reason=reason)

        return (await self._ledger.record(caller, subject_id, make)).subject_token

    async def erase(self, caller: Caller, subject_id: SubjectId) -> Erased:
        """Forgets a subject. Its entry names the token that led to it until now."""
        work = self._rights.erase(self._pseudonyms.subject_key(subject_id), self._now_us())

        def entries(receipt: ErasureReceipt) -> tuple[bytes, ...]:
            details = {name: str(count) for name, count in receipt.removed.items()}
            return (self._entry(Kind.SUBJECT_ERASED, caller, receipt.subject, details),)

        receipt = (await self._store.writer.write(work, entries)).result
        return Erased(receipt, await asyncio.to_thread(self._store.database.forget))

    async def add_alias(self, caller: Caller, subject_id: SubjectId, alias: SubjectId) -> str:
        """Makes another id lead to the subject; its token. Raises :class:`NotFound`, :class:`Conflict`."""
        key, other = self._pseudonyms.subject_key(subject_id), self._pseudonyms.subject_key(alias)
        work = self._rights.join(other, key, self._now_us())
        return await self._write(Kind.PROFILE_WRITTEN, caller, work, {"alias": "added"})

    async def open_request(self, caller: Caller, subject_id: SubjectId, kind: RequestKind) -> RequestRow:
        """Enters a request, also of a person of whom nothing is stored: that answer is due as well."""
        key = self._pseudonyms.subject_key(subject_id)
        subject = await self._store.reads.read(lambda connection: self._profiles.get(connection, key))
        token = self._pseudonyms.audit_token(key, NO_SALT) if subject is None else self._audit(subject)
        work = self._register.open(kind, token, self._now_us())
        details = {"request": kind.value}
        entry = self._entry(Kind.SUBJECT_REQUEST, caller, token, details)
        row: RequestRow = (await self._store.writer.write(work, (entry,))).result
        return row

    async def complete_request(self, caller: Caller, request_id: str) -> None:
        """Marks a request as done. Raises :class:`NotFound`."""
        work = self._register.complete(request_id, self._now_us())
        details = {"completed": request_id}
        await self._store.writer.write(
            work, lambda row: (self._entry(Kind.SUBJECT_REQUEST, caller, row.subject, details),)
        )

    async def requests(self, *, overdue_only: bool) -> list[RequestRow]:
        """Open requests, the most urgent first."""
        now_us = self._now_us()
        if overdue_only:
            return await self._store.reads.read(lambda connection: self._register.overdue(connection, now_us))
        return await self._store.reads.read(self._register.pending)

    async def ask_identification(self, caller: Caller, token: str, reason: str) -> str:
        """Enters the first officer's request; its id. Raises :class:`InvalidInput` without a reason."""
        work = self._identifications.ask(token, reason, caller.name, self._now_us())
        entry = self._entry(Kind.SUBJECT_REIDENTIFIED, caller, token, {"step": "asked"})
        return str((await self._store.writer.write(work, (entry,))).result.request_id)

    async def approve_identification(self, caller: Caller, request_id: str) -> bytes:
        """Enters the second officer and gives the subject's data, once.

        Raises :class:`PermissionDenied` for the first officer, :class:`NotFound`,
        :class:`FailedPrecondition`.
        """
        work = self._identifications.approve(request_id, caller.name)

        def entries(row: Any) -> tuple[bytes, ...]:
            details = {"step": "approved", "asked_by": row.asked_by, "request": row.request_id}
            return (self._entry(Kind.SUBJECT_REIDENTIFIED, caller, row.subject, details),)

        row = (await self._store.writer.write(work, entries)).result
        subject = await asyncio.to_thread(self._find, row.subject)
        return await self._document(caller, subject, {}, await self._sources(subject), _Behavior())

    async def processing_record(self) -> dict[str, Any]:
        """The record of processing activities of the serving catalog; its recipients are the callers."""
        catalog = self._serving().catalog
        recipients = {
            row.name: row.purposes.split()
            for row in await self._store.reads.read(callers.listing)
            if row.revoked_us is None
        }
        sources = Sources(
            self._controller,
            recipients,
            {name: strategy.version for name, strategy in catalog.strategies.items()},
            {name: segment.purposes for name, segment in catalog.segments.items()},
            _behavior_of(catalog),
        )
        return processing_record(catalog.policy, sources)

    async def _memberships(self, subject_id: SubjectId) -> dict[str, dict[str, str]]:
        """Purpose → segment → outcome, as a caller who may use every purpose would hear it now."""
        caller = Caller(EXPORTER, frozenset(), frozenset({"*"}))
        found: dict[str, dict[str, str]] = {}
        for purpose in self._serving().catalog.purposes:
            sight = await self._corridor.sight(caller, Question(subject_id, purpose))
            found[purpose] = {result.segment: result.outcome.name for result in run(sight).results}
        return found

    async def _sources(self, subject: Subject) -> dict[str, str]:
        """Attribute → the caller that wrote its value, as the log's newest thousand writes tell (art.
        15(1)(g)).
        """
        wanted = Filter(kinds=(Kind.PROFILE_WRITTEN,), subjects=(self._audit(subject),))

        def read() -> dict[str, str]:
            found: dict[str, str] = {}
            with closing(self._store.connect()) as connection:
                for item in search(connection, wanted, count=PAGE_ENTRIES_MAX).found:
                    for name in item.entry.read:
                        found.setdefault(name, item.entry.caller)
            return {name: caller for name, caller in found.items() if name in subject.profile.values}

        return await asyncio.to_thread(read)

    async def _document(
        self,
        caller: Caller,
        subject: Subject,
        memberships: dict[str, dict[str, str]],
        sources: dict[str, str],
        behavior: _Behavior,
    ) -> bytes:
        catalog = self._serving().catalog
        history = await self._store.reads.read(lambda connection: self._history(connection, subject))
        derived = Derived(
            memberships=memberships,
            rules={name: segment.rule for name, segment in catalog.segments.items()},
            sources=sources,
            membership_history=behavior.moves,
            lists=behavior.lists,
        )
        current = self._serving().gate.current(subject.profile, self._now_us())
        expired = frozenset(subject.profile.values.keys() - current.keys())
        shown = replace(subject, profile=subject.profile.without(expired))
        return export(shown, self._token(subject, caller), history, catalog.policy, derived, behavior.portion)

    def _behavior(self, subject: Subject, following: str) -> _Behavior:
        """What a subject did and was in. It may be long to read, so it is a thread's work."""
        catalog, now_us = self._serving().catalog, self._now_us()
        with closing(self._store.connect()) as connection:
            portion = self._events.portion(connection, subject, catalog, now_us, following)
            if following:
                return _Behavior(portion)
            return _Behavior(portion, moves(connection, subject), lists_of(connection, subject, now_us))

    def _history(self, connection: Connection, subject: Subject) -> list[tuple[int, Record]]:
        history: list[tuple[int, Record]] = []
        before: int | None = None
        while page := self._consents.history(connection, subject, before=before):
            history += page
            before = page[-1][0]
        return history

    def _find(self, token: str) -> Subject:
        connection = self._store.connect()
        try:
            return self._profiles.require(connection, self._identifications.find(connection, token))
        finally:
            connection.close()

    async def _write(
        self, kind: Kind, caller: Caller, work: Callable[[Connection], Subject], details: dict[str, str]
    ) -> str:
        written = await self._store.writer.write(
            work, lambda subject: (self._entry(kind, caller, self._audit(subject), details),)
        )
        return self._token(written.result, caller)

    async def _log(self, kind: Kind, caller: Caller, subject: str) -> None:
        await self._store.writer.write(None, (self._entry(kind, caller, subject, {}),))

    def _audit(self, subject: Subject) -> str:
        return self._pseudonyms.audit_token(subject.subject_key, subject.salt)

    def _token(self, subject: Subject, caller: Caller) -> str:
        return self._pseudonyms.recipient_token(subject.subject_key, subject.salt, caller.name)

    def _entry(
        self,
        kind: Kind,
        caller: Caller,
        subject: str,
        details: dict[str, str],
        read: tuple[str, ...] = (),
    ) -> bytes:
        now_us = self._now_us()
        return encode(
            Entry(
                time=timestamp_us(now_us),
                kind=kind,
                caller=caller.name,
                request_id=new_evaluation_id(now_us),
                subject=subject,
                read=read,
                catalog=self._serving().catalog.digest,
                details=details,
            )
        )


def _behavior_of(catalog: Catalog) -> list[Behavior]:
    """The events, computed attributes and lists of a catalog, for the record of processing."""
    events = [
        Behavior(BehaviorKind.EVENT, name, event_categories(event), event.purposes)
        for name, event in catalog.events.items()
    ]
    computed = [
        Behavior(BehaviorKind.COMPUTED, name, one.categories, one.purposes)
        for name, one in catalog.computed.items()
    ]
    lists = [
        Behavior(BehaviorKind.LIST, name, one.categories, one.purposes, one.owner)
        for name, one in catalog.lists.items()
    ]
    return [*events, *computed, *lists]
