"""Serving officers: entries, counts, proofs and checkpoints; what is read is logged before it leaves."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from segserver.audit import proof, results, search
from segserver.audit.checkpoints import Notary
from segserver.audit.entry import Entry, Kind, decode, encode, timestamp_us
from segserver.audit.export import Record
from segserver.audit.index import Indexer
from segserver.audit.log import read_head
from segserver.audit.note import NoteKey, Signer, open_checkpoint
from segserver.audit.prune import prune
from segserver.audit.search import Filter, Found, Page
from segserver.engine.evidence import SUBJECT, Evidence, leaves
from segserver.engine.replay import Replay, Replayer
from segserver.engine.store import Store
from segserver.errors import FailedPrecondition, InvalidInput, NotFound
from segserver.model import Caller, SubjectId
from segserver.privacy.keyring import Keyring
from segserver.privacy.profiles import Profiles
from segserver.privacy.pseudonyms import AUDIT_TOKEN, NO_SALT, Pseudonyms
from segserver.privacy.vault import Subject
from segserver.rules.times import to_datetime
from segserver.storage import log as rows
from segserver.storage.contract import Connection
from segserver.storage.subjects import Subjects

T = TypeVar("T")

RETENTION_DAYS_MIN = 30
"""A prune can't drop what is younger: who could prune yesterday could hide today."""


NOT_IN_LOG = "(not in the log)"
"""Stands in the entry of a read for a name that was looked for and that no entry has: somebody may have typed
a person's id into the wrong field.
"""

_WORDS = re.compile(r"\*?[a-z][a-z0-9_/-]{0,199}")
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_FORMS = {"caller": _WORDS, "purpose": _WORDS, "segment": _WORDS, "withheld_by": _CODE, "result": _CODE}
"""How names and codes are written in entries."""


def log_signer(keyring: Keyring) -> Signer:
    """The name and key of an installation's log."""
    return Signer(f"segserver/{keyring.tenant}", Ed25519PrivateKey.from_private_bytes(keyring.audit_seed))


class AuditDesk:
    """What an officer can ask of the log. It keeps the log signed and indexed while it is open."""

    def __init__(
        self,
        store: Store,
        pseudonyms: Pseudonyms,
        profiles: Profiles,
        signer: Signer,
        replayer: Replayer,
        beside: Evidence,
        now_us: Callable[[], int],
    ) -> None:
        self._store = store
        self._evidence = beside
        self._pseudonyms = pseudonyms
        self._profiles = profiles
        self._replayer = replayer
        self._now_us = now_us
        self.key: NoteKey = signer.key
        self.notary = Notary(store.database, store.writer, signer)
        self._indexer = Indexer(store.database, store.writer)

    def close(self) -> None:
        """Signs what is there. Call it before the store is closed."""
        self._indexer.close()
        self.notary.close()

    async def search(
        self, caller: Caller, wanted: Filter, subject: SubjectId | None, *, count: int, before: int | None
    ) -> Page:
        """A page of entries, newest first. Raises :class:`InvalidInput`, :class:`Unavailable`."""
        wanted = await self._with_subject(wanted, subject)
        page = await self._read(lambda c: search.search(c, wanted, count=count, before=before))
        details = await self._told(wanted, bool(page.found)) | {"entries": str(len(page.found))}
        await self._log(Kind.AUDIT_READ, caller, details, wanted)
        return page

    async def get(self, caller: Caller, log_index: int) -> bytes:
        """One entry's bytes. Raises :class:`NotFound`, and :class:`FailedPrecondition` for a pruned one."""
        row = await self._read(lambda c: rows.payload(c, log_index))
        await self._log(Kind.AUDIT_READ, caller, {"log_index": str(log_index)})
        if row is None:
            raise NotFound(f"the audit log has no entry {log_index}", reason="NO_SUCH_ENTRY")
        if row[0] is None:
            raise FailedPrecondition(f"entry {log_index} was pruned", reason="ENTRY_PRUNED")
        return row[0]

    async def stats(
        self, caller: Caller, wanted: Filter, subject: SubjectId | None
    ) -> dict[str, Counter[str]]:
        """Numbers of entries by dimension and value."""
        wanted = await self._with_subject(wanted, subject)
        counts = await self._read(lambda c: search.stats(c, wanted))
        details = await self._told(wanted, bool(counts["kind"])) | {"counts": "true"}
        await self._log(Kind.AUDIT_READ, caller, details, wanted)
        return counts

    async def export(
        self, caller: Caller, wanted: Filter, subject: SubjectId | None, *, start: int, count: int
    ) -> tuple[Sequence[Record], int | None]:
        """The matching entries among ``count`` from ``start`` on, and where to go on (``None`` at the end).

        The end is where the log ended when the export began to read, so an export never chases its own
        entries.
        """
        if not 1 <= count <= search.PAGE_ENTRIES_MAX:
            raise InvalidInput.of(
                "page_size", f"expected 1 to {search.PAGE_ENTRIES_MAX}", reason="PAGE_SIZE_INVALID"
            )
        wanted = await self._with_subject(wanted, subject)

        def read(connection: Connection) -> tuple[list[Record], int | None]:
            stop = read_head(connection)[0]
            end = min(start + count, stop)
            found = []
            for chunk in rows.scan(connection, start, end):
                records = [Record(row[0], row[2]) for row in chunk if row[2] is not None]
                found += [record for record in records if wanted.matches(record.entry())]
            return found, end if end < stop else None

        records, following = await self._read(read)
        told = await self._told(wanted, bool(records))
        details = told | {"start": str(start), "entries": str(len(records))}
        await self._log(Kind.AUDIT_EXPORTED, caller, details, wanted)
        return records, following

    async def prove(self, caller: Caller, log_index: int) -> str:
        """The proof file of one entry. Raises what :func:`segserver.audit.proof.prove` raises."""
        await asyncio.to_thread(self.notary.sign)
        made = await self._read(lambda c: proof.prove(c, log_index, [self.key]))
        await self._log(Kind.AUDIT_EXPORTED, caller, {"log_index": str(log_index), "proof": "true"})
        return made

    async def prove_result(
        self, caller: Caller, log_index: int, subject: SubjectId | None, audit_token: str
    ) -> str:
        """The proof file of what the bulk evaluation of this entry answered for a subject.

        Raises what :meth:`get` and :func:`segserver.audit.results.prove_result` raise,
        :class:`FailedPrecondition` for an entry of another kind or whose evidence is not here,
        :class:`NotFound` when the subject has no result under it.
        """
        wanted = await self._one_subject(subject, audit_token)
        entry = decode(await self.get(caller, log_index))
        name = entry.details.get("evidence", "")
        if entry.kind is not Kind.BATCH_EVALUATION or not name:
            raise FailedPrecondition(
                f"entry {log_index} is no page of a bulk evaluation", reason="NOT_A_BULK_EVALUATION"
            )
        evidence_rows = await asyncio.to_thread(self._evidence.read, name)
        place = evidence_rows[SUBJECT].index_of(wanted.subjects[-1])
        if place is None:
            raise NotFound(f"entry {log_index} holds no result of this subject", reason="RESULT_NOT_FOUND")
        await asyncio.to_thread(self.notary.sign)
        entry_proof = await self._read(lambda c: proof.prove(c, log_index, [self.key]))
        made = await asyncio.to_thread(results.prove_result, entry, entry_proof, leaves(evidence_rows), place)
        await self._log(Kind.AUDIT_EXPORTED, caller, {"log_index": str(log_index), "proof": "result"}, wanted)
        return made

    async def results_of(
        self, caller: Caller, subject: SubjectId | None, audit_token: str, *, count: int, before: int | None
    ) -> Page:
        """Those of the newest ``count`` pages of bulk evaluations, below ``before``, that answered for a
        subject. Pages whose evidence is not here are left out."""
        wanted = await self._one_subject(subject, audit_token)
        kinds = Filter(kinds=(Kind.BATCH_EVALUATION,))
        page = await self._read(lambda c: search.search(c, kinds, count=count, before=before))
        token = wanted.subjects[-1]

        def having() -> list[Found]:
            return [
                found
                for found in page.found
                if self._evidence.names(found.entry.details.get("evidence", ""), token)
            ]

        found = await asyncio.to_thread(having)
        await self._log(Kind.AUDIT_READ, caller, {"results": str(len(found))}, wanted)
        return Page(found, page.before)

    async def checkpoint(self, old_size: int) -> tuple[str, Sequence[bytes]]:
        """The newest checkpoint, and its consistency with an older size.

        This reads no entry and leaves none.
        """
        if old_size < 0:
            raise InvalidInput.of("old_size", "is negative")
        note = await asyncio.to_thread(self.notary.sign)
        if note is None:
            return "", []
        size = open_checkpoint(note, [self.key]).size
        if not 0 < old_size < size:
            return note, []
        return note, await self._read(lambda c: proof.prove_growth(c, old_size, size))

    async def replay(self, caller: Caller, log_index: int, subject: SubjectId) -> Replay:
        """Evaluates a recorded question again. Raises what :meth:`get` and :meth:`Replayer.replay` raise."""
        return await self._replayer.replay(await self.get(caller, log_index), subject)

    async def prune(self, caller: Caller, before_us: int) -> int:
        """Drops payloads of entries before a time, and the evidence beside them; returns how many payloads.
        Raises :class:`InvalidInput`.
        """
        now = to_datetime(self._now_us())
        before = to_datetime(before_us)
        if before > now - dt.timedelta(days=RETENTION_DAYS_MIN):
            raise InvalidInput.of(
                "before",
                f"entries are kept for {RETENTION_DAYS_MIN} days at least",
                reason="RETENTION_TOO_SHORT",
            )
        writer = self._store.writer
        dropped = await self._read(lambda c: prune(writer, c, before=before, caller=caller.name, now=now))
        await asyncio.to_thread(self._evidence.drop, before_us)
        await asyncio.to_thread(self._store.database.forget)  # the write-ahead log has them, too
        return dropped

    async def _one_subject(self, subject: SubjectId | None, audit_token: str) -> Filter:
        """The filter for a subject that is named by its id, its token, or both."""
        if subject is None and not audit_token:
            raise InvalidInput.of("subject", "name the subject", reason="SUBJECT_MISSING")
        return await self._with_subject(Filter(subjects=(audit_token,) if audit_token else ()), subject)

    async def _with_subject(self, wanted: Filter, subject_id: SubjectId | None) -> Filter:
        """The filter with the subject's tokens: those that each of its ids had before it was stored, and last
        the one it has now.

        Raises :class:`InvalidInput` for text that nothing in the log can have: the log remembers what was
        looked for, and somebody may have typed a person's id.
        """
        for name, form in _FORMS.items():
            if (value := getattr(wanted, name)) and not form.fullmatch(value):
                raise InvalidInput.of(f"filter.{name}", "is no name in the log", reason="FILTER_INVALID")
        if not all(map(AUDIT_TOKEN.fullmatch, wanted.subjects)):
            raise InvalidInput.of("filter.audit_token", "is no token of the log", reason="TOKEN_INVALID")
        if subject_id is None:
            return wanted
        key = self._pseudonyms.subject_key(subject_id)
        subject, aliases = await self._store.reads.read(partial(self._known, key))
        tokens = [self._pseudonyms.audit_token(key, NO_SALT)]
        if subject is not None:
            keys = [subject.subject_key, *aliases]
            tokens = [self._pseudonyms.audit_token(each, NO_SALT) for each in keys]
            tokens.append(self._pseudonyms.audit_token(subject.subject_key, subject.salt))
        if wanted.subjects and not set(wanted.subjects) & set(tokens):
            raise InvalidInput.of("subject", "is not the one of audit_token", reason="SUBJECT_MISMATCH")
        return replace(wanted, subjects=tuple(tokens))

    def _known(self, subject_key: bytes, connection: Connection) -> tuple[Subject | None, Sequence[bytes]]:
        """The subject, if it is stored, and the keys that lead to it."""
        subject = self._profiles.get(connection, subject_key)
        if subject is None:
            return None, ()
        return subject, Subjects().aliases(connection, subject.subject_key)

    async def _told(self, wanted: Filter, found: bool) -> dict[str, str]:
        """The filter as the entry of this read tells it. What was found shows that the log has its names, but
        not its segment: that is found in every answer about a whole catalog.
        """
        doubtful = Filter(segment=wanted.segment) if found else wanted
        return _told(wanted, await self._read(lambda c: search.unknown_names(c, doubtful)))

    async def _read(self, read: Callable[[Connection], T]) -> T:
        """Reads on a thread and a connection of its own: a long search delays no answer."""

        def work() -> T:
            connection = self._store.connect()
            try:
                with rows.reading():
                    return read(connection)
            finally:
                connection.close()

        return await asyncio.to_thread(work)

    async def _log(
        self, kind: Kind, caller: Caller, details: dict[str, str], wanted: Filter | None = None
    ) -> None:
        """An entry about a read. One that looks for a subject is about that subject, and part of its
        history.
        """
        entry = Entry(
            time=timestamp_us(self._now_us()),
            kind=kind,
            caller=caller.name,
            subject=wanted.subjects[-1] if wanted is not None and wanted.subjects else "",
            details=details,
        )
        await self._store.writer.write(None, (encode(entry),))


def _told(wanted: Filter, unknown: Sequence[str]) -> dict[str, str]:
    """The filter as the entry of a read tells it: tokens and names of the log, never raw ids."""
    told = {
        name: NOT_IN_LOG if name in unknown else str(getattr(wanted, name))
        for name in ("after", "before", "outcome", *search.NAMES)
        if getattr(wanted, name)
    }
    told |= {"kinds": " ".join(wanted.kinds)} if wanted.kinds else {}
    return told | ({"subjects": " ".join(wanted.subjects)} if wanted.subjects else {})
