"""Evaluates again those whose memberships can have changed: who was written to, and whose time has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TypeAlias

import structlog

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.config import MembershipSettings
from segserver.engine.ahead import DAY_US, Ahead
from segserver.engine.answers import new_evaluation_id
from segserver.engine.behavior import Behavior
from segserver.engine.corridor import Asked, Corridor, Question
from segserver.engine.isolated import derive
from segserver.engine.memberships import KEEPER, kept_purposes
from segserver.engine.results import run
from segserver.engine.serving import Serving
from segserver.engine.store import Store
from segserver.errors import IntegrityError, SegserverError
from segserver.model import SubjectId
from segserver.privacy.vault import Vault
from segserver.storage.contract import Connection
from segserver.storage.memberships import DueRow, Memberships
from segserver.storage.subjects import SubjectRow, Subjects

log = structlog.get_logger("segserver.engine")

PAGE_SUBJECTS = 200
"""So many subjects are evaluated, and written, together: a few tens of milliseconds of work."""

CATALOG = "CATALOG"
TIME = "TIME"
FAILED_AGAIN_US = 3_600_000_000
"""When a subject that can't be evaluated is tried again: an hour later."""

_NOBODY = SubjectId("", "")

_Members: TypeAlias = tuple[frozenset[str], str]
"""The segments that a subject is in for a purpose, and why it is in no others, where that was stopped."""


@dataclass(slots=True)
class Refreshed:
    """How many subjects were evaluated again, how many could not be, and how often one entered or left."""

    subjects: int = 0
    failed: int = 0
    entered: int = 0
    left: int = 0

    def add(self, other: Refreshed) -> None:
        """Counts another's on top."""
        self.subjects += other.subjects
        self.failed += other.failed
        self.entered += other.entered
        self.left += other.left


@dataclass(frozen=True, slots=True)
class _Found:
    """What one subject is in by now, by purpose: its segments and why it is in no others. What could not be
    evaluated is missing."""

    due: DueRow
    is_stored: bool
    members: Mapping[str, _Members]
    again_us: int | None


class Refresher:
    """Keeps memberships as their subjects are. Several processes may do it at once: what was changed by
    another in the meantime is looked at again."""

    def __init__(
        self,
        store: Store,
        corridor: Corridor,
        vault: Vault,
        behavior: Behavior,
        serving: Callable[[], Serving],
        now_us: Callable[[], int],
        settings: MembershipSettings,
    ) -> None:
        self._settings = settings
        self._store = store
        self._corridor = corridor
        self._vault = vault
        self._behavior = behavior
        self._serving = serving
        self._now_us = now_us
        self._rows = Memberships()
        self._one = asyncio.Lock()

    async def refresh(self) -> Refreshed:
        """Evaluates everybody whose turn it is. Raises :class:`Unavailable`."""
        total = Refreshed()
        async with self._one:
            while (page := await self._page()) is not None:
                total.add(page)
        return total

    async def keep(self) -> None:
        """Refreshes at intervals, until it is cancelled. What fails is told in the log and tried again."""
        while True:
            try:
                done = await self.refresh()
                await self._forget()
            except SegserverError as error:
                log.error("refresh failed", reason=error.reason)
            else:
                if done.subjects or done.failed:
                    log.info("refreshed", **asdict(done))
            await asyncio.sleep(self._settings.refresh_interval_s)

    async def _forget(self) -> None:
        """Drops what is told of so long ago that nobody goes on from there."""
        before_us = self._now_us() - self._settings.history_days * DAY_US

        def is_there(connection: Connection) -> bool:
            return self._rows.has_before(connection, before_us)

        if await self._store.reads.read(is_there):
            await self._store.writer.write(lambda connection: self._rows.forget(connection, before_us))

    async def _page(self) -> Refreshed | None:
        """Evaluates some; ``None`` when nobody is due."""
        serving, now_us = self._serving(), self._now_us()
        purposes = kept_purposes(serving)
        digest = serving.catalog.digest

        def read(connection: Connection) -> tuple[str, list[DueRow], list[SubjectRow | None]]:
            due = self._rows.due(connection, now_us, PAGE_SUBJECTS) if purposes else []
            rows = Subjects().get_many(connection, [one.subject_key for one in due])
            return self._rows.looked_under(connection), due, rows

        looked_under, due, rows = await self._store.reads.read(read)
        if purposes and looked_under != digest:
            await self._mark_everybody(now_us, digest)
            return Refreshed()
        if not due:
            return None
        found = await self._evaluate(serving, purposes, due, rows, now_us)
        receipt = await self._store.writer.write(
            lambda connection: self._write(connection, serving, found, now_us),
            lambda done: (_entry(serving, done, now_us),),
        )
        done: Refreshed = receipt.result
        return done

    async def _mark_everybody(self, now_us: int, digest: str) -> None:
        """Has everybody looked at under a catalog that is new, page by page. Until it is done, the catalog of
        before counts no more, so that no process evaluates under it whom another one has marked."""
        write = self._store.writer.write
        await write(lambda connection: self._rows.set_looked_under(connection, ""))
        after: bytes | None = b""
        while after is not None:
            mark = partial(self._rows.mark_page, due_us=now_us, reason=CATALOG, after=after)
            after = (await write(mark)).result
        await write(lambda connection: self._rows.set_looked_under(connection, digest))

    async def _evaluate(
        self,
        serving: Serving,
        purposes: Sequence[str],
        due: Sequence[DueRow],
        rows: Sequence[SubjectRow | None],
        now_us: int,
    ) -> list[_Found]:
        there = [row for row in rows if row is not None]
        members: dict[bytes, dict[str, _Members]] = {row.subject_key: {} for row in there}
        again: dict[bytes, int] = {}
        for purpose in purposes:
            found, moments = await self._evaluate_for(serving, purpose, there, now_us)
            for key, one in found.items():
                members[key][purpose] = one
            for key, moment in moments.items():
                again[key] = min(moment, again.get(key, moment))
        return [
            _Found(one, row is not None, members.get(one.subject_key, {}), again.get(one.subject_key))
            for one, row in zip(due, rows, strict=True)
        ]

    async def _evaluate_for(
        self, serving: Serving, purpose: str, rows: Sequence[SubjectRow], now_us: int
    ) -> tuple[dict[bytes, _Members], dict[bytes, int]]:
        """By subject key, what subjects are in for a purpose, and when they are to be evaluated again; who
        could not be evaluated is in the second alone."""
        wanted = serving.wanted(purpose, ())
        question = Question(_NOBODY, purpose)
        sights = await self._corridor.sights(
            [Asked(KEEPER, question, serving, wanted, row.subject_key) for row in rows]
        )
        members: dict[bytes, _Members] = {}
        again: dict[bytes, int] = {}
        evaluated: list[tuple[SubjectRow, Sequence[object]]] = []
        for row, sight, derived in zip(rows, sights, await derive(sights), strict=True):
            if isinstance(sight, SegserverError):
                again[row.subject_key] = now_us + FAILED_AGAIN_US
                continue
            members[row.subject_key] = (
                frozenset(run(sight, derived).members),
                str(sight.mask.stopped or ""),
            )
            evaluated.append((row, derived.values))
        look = partial(self._look_ahead, serving, purpose, evaluated, now_us)
        return members, again | await self._store.reads.read(look)

    def _look_ahead(
        self,
        serving: Serving,
        purpose: str,
        rows: Sequence[tuple[SubjectRow, Sequence[object]]],
        now_us: int,
        connection: Connection,
    ) -> dict[bytes, int]:
        """Subject key → when time alone may change what it is in."""
        found: dict[bytes, int] = {}
        needs = serving.plan(purpose).needs
        events = needs.program.events_of(needs.names)
        ends = self._behavior.list_ends(connection, needs)
        for row, derived in rows:
            try:
                subject = self._vault.open(row)
                histories, _ = self._behavior.histories(connection, subject, events)
                keys = row.subject_key, row.subject_key
                listed = self._behavior.listed(connection, needs, needs.lists, keys, now_us)
                moment = Ahead(serving, purpose, subject, histories, derived, listed, ends).due(now_us)
            except IntegrityError:  # of events that today's answer did not need
                moment = now_us + FAILED_AGAIN_US
            if moment is not None:
                found[row.subject_key] = moment
        return found

    def _write(
        self, connection: Connection, serving: Serving, found: Sequence[_Found], now_us: int
    ) -> Refreshed:
        """Writes what differs, of those who have not been changed since they were read."""
        done = Refreshed()
        segments = serving.catalog.segments
        purposes = frozenset(kept_purposes(serving))
        for one in found:
            key = one.due.subject_key
            if not self._rows.unmark(connection, one.due):
                continue
            if one.again_us is not None:
                self._rows.mark(connection, key, one.again_us, TIME)
            if not one.is_stored:
                continue
            failed = purposes - one.members.keys()
            done.subjects += not failed
            done.failed += bool(failed)
            before: dict[str, set[str]] = {}
            for row in self._rows.of(connection, key):
                before.setdefault(row.purpose, set()).add(row.segment)
            for purpose in (before.keys() | one.members.keys()) - failed:
                now_in, stopped = one.members.get(purpose, (frozenset(), CATALOG))
                was_in = before.get(purpose, set())
                entering, leaving = sorted(now_in - was_in), sorted(was_in - now_in)
                self._rows.enter(connection, key, purpose, entering, now_us, one.due.reason)
                for segment in leaving:
                    reason = stopped or (one.due.reason if segment in segments else CATALOG)
                    self._rows.leave(connection, key, purpose, (segment,), now_us, reason)
                done.entered += len(entering)
                done.left += len(leaving)
        return done


def _entry(serving: Serving, done: Refreshed, now_us: int) -> bytes:
    return encode(
        Entry(
            time=timestamp_us(now_us),
            kind=Kind.MEMBERSHIPS_REFRESHED,
            caller=KEEPER.name,
            request_id=new_evaluation_id(now_us),
            catalog=serving.catalog.digest,
            subjects=done.subjects,
            details={"entered": str(done.entered), "left": str(done.left), "failed": str(done.failed)},
        )
    )
