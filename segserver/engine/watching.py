"""Telling who is in a segment, who entered and left: by the recipient's tokens, consent looked at again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from segserver.audit.entry import Entry, Kind, Outcomes, encode, timestamp_us
from segserver.engine.answers import new_evaluation_id
from segserver.engine.corridor import Corridor
from segserver.engine.memberships import kept_purposes
from segserver.engine.serving import Serving
from segserver.engine.store import Store
from segserver.errors import FailedPrecondition, IntegrityError, InvalidInput
from segserver.model import Caller
from segserver.privacy.pseudonyms import Pseudonyms
from segserver.privacy.vault import Vault
from segserver.storage.contract import Connection
from segserver.storage.memberships import ENTERED, ChangeRow, Memberships
from segserver.storage.subjects import SubjectRow, Subjects

PAGE_ROWS = 500
POLL_S = 0.25
"""How often a watcher who has seen everything looks for more."""


@dataclass(frozen=True, slots=True)
class Member:
    """One who is in a segment, by the recipient's token."""

    token: str
    entered_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Move:
    """One who entered a segment, or left it. ``cursor`` is where to go on after it."""

    cursor: int
    token: str
    segment: str
    entered: bool
    at_us: int
    reason: str


class Watcher:
    """Lists members, and follows who enters and leaves."""

    def __init__(
        self,
        store: Store,
        corridor: Corridor,
        vault: Vault,
        pseudonyms: Pseudonyms,
        now_us: Callable[[], int],
    ) -> None:
        self._store = store
        self._corridor = corridor
        self._vault = vault
        self._pseudonyms = pseudonyms
        self._now_us = now_us
        self._rows = Memberships()

    async def members(
        self, caller: Caller, purpose: str, segment: str, after: int, count: int
    ) -> tuple[list[Member], int]:
        """A page of the members of a segment, and the number after which to go on; 0 after the last page.

        Who may not be seen for the purpose at this moment is not on it, so a page may be short. Raises what
        :meth:`Corridor.check` raises, and :class:`FailedPrecondition` for a purpose whose memberships are not
        kept."""
        serving = self._check(caller, purpose, (segment,))
        now_us = self._now_us()

        def read(connection: Connection) -> tuple[list[Member], int]:
            rows = self._rows.members(connection, purpose, segment, after, min(count, PAGE_ROWS))
            subjects = Subjects().get_many(connection, [row.subject_key for row in rows])
            found = [
                Member(self._token(subject, caller), row.entered_us, row.reason)
                for row, subject in zip(rows, subjects, strict=True)
                if subject is not None
                and self._is_visible(serving, caller, purpose, segment, subject, now_us)
            ]
            return found, rows[-1].number if len(rows) == min(count, PAGE_ROWS) else 0

        members, following = await self._store.reads.read(read)
        await self._log(caller, serving, purpose, (segment,), len(members), "list", now_us)
        return members, following

    async def watch(
        self, caller: Caller, purpose: str, segments: tuple[str, ...], cursor: int | None
    ) -> AsyncGenerator[list[Move]]:
        """Who enters and leaves, from ``cursor`` on (``None``: from now on), until the iterator is closed.

        A list is handed over once its reading is in the log, and the next is read when it is asked for: a
        slow reader delays nobody. Raises what :meth:`members` raises, and :class:`InvalidInput` for a cursor
        of changes that are kept no more."""
        serving = self._check(caller, purpose, segments)
        forgotten, last = await self._store.reads.read(self._rows.span)
        after = last if cursor is None else cursor
        if not forgotten <= after <= last:
            raise _gone()
        while True:
            rows, forgotten = await self._store.reads.read(partial(self._changes, caller, purpose, after))
            if after < forgotten:
                raise _gone()
            if not rows:
                await asyncio.sleep(POLL_S)
                continue
            after = rows[-1].sequence
            serving = self._check(caller, purpose, ())
            now_us = self._now_us()
            moves = await self._store.reads.read(
                partial(self._moves, serving, caller, purpose, frozenset(segments), rows, now_us)
            )
            if moves:
                named = sorted({move.segment for move in moves})
                await self._log(caller, serving, purpose, named, len(moves), "watch", now_us)
                yield moves

    def _changes(
        self, caller: Caller, purpose: str, after: int, connection: Connection
    ) -> tuple[list[ChangeRow], int]:
        """The next changes, and the number after which all were still kept once they had been read."""
        rows = self._rows.changes(connection, after, purpose, caller.name, PAGE_ROWS)
        return rows, self._rows.span(connection)[0]

    def _check(self, caller: Caller, purpose: str, segments: tuple[str, ...]) -> Serving:
        serving, _ = self._corridor.check(caller, purpose, segments)
        if purpose not in kept_purposes(serving):
            raise FailedPrecondition(
                f"memberships are not kept for {purpose}; its definition in the catalog would say "
                "memberships: true",
                reason="MEMBERSHIPS_NOT_KEPT",
            )
        return serving

    def _moves(
        self,
        serving: Serving,
        caller: Caller,
        purpose: str,
        segments: frozenset[str],
        rows: Sequence[ChangeRow],
        now_us: int,
        connection: Connection,
    ) -> list[Move]:
        """The changes to hand over: who left in any case, who entered where they may be seen now."""
        wanted = [row for row in rows if not segments or row.segment in segments]
        keys = sorted({row.subject_key for row in wanted if row.subject_key is not None})
        subjects = dict(zip(keys, Subjects().get_many(connection, keys), strict=True))
        moves: list[Move] = []
        for row in wanted:
            if row.subject_key is None:
                token = row.token or ""
            else:
                subject = subjects[row.subject_key]
                if subject is None:
                    continue  # erased since; word of it follows under the token
                if row.change == ENTERED and not self._is_visible(
                    serving, caller, purpose, row.segment, subject, now_us
                ):
                    continue
                token = self._token(subject, caller)
            entered = row.change == ENTERED
            moves.append(Move(row.sequence, token, row.segment, entered, row.at_us, row.reason))
        return moves

    def _is_visible(
        self,
        serving: Serving,
        caller: Caller,
        purpose: str,
        segment: str,
        row: SubjectRow,
        now_us: int,
    ) -> bool:
        """Whether everything that the segment depends on may be seen of the subject now."""
        declared = serving.catalog.segments.get(segment)
        if declared is None or purpose not in declared.purposes:
            return False
        try:
            subject = self._vault.open(row)
        except IntegrityError:  # nothing tells what it consented to
            return False
        current = serving.gate.current(subject.profile, now_us)
        mask = serving.gate.mask(purpose, subject.state, caller, now_us, current)
        return mask.stopped is None and declared.reads <= mask.visible

    def _token(self, row: SubjectRow, caller: Caller) -> str:
        return self._pseudonyms.recipient_token(row.subject_key, row.salt, caller.name)

    async def _log(
        self,
        caller: Caller,
        serving: Serving,
        purpose: str,
        segments: Sequence[str],
        count: int,
        use: str,
        now_us: int,
    ) -> None:
        entry = encode(
            Entry(
                time=timestamp_us(now_us),
                kind=Kind.MEMBERSHIPS_READ,
                caller=caller.name,
                request_id=new_evaluation_id(now_us),
                purpose=purpose,
                catalog=serving.catalog.digest,
                segments=Outcomes(member=tuple(segments)),
                subjects=count,
                details={"use": use},
            )
        )
        await self._store.writer.write(
            lambda connection: self._rows.add_reader(connection, caller.name, purpose), (entry,)
        )


def _gone() -> InvalidInput:
    return InvalidInput.of(
        "cursor",
        "what came after it is kept no more, or never was; list the members, then watch from now on",
        reason="CURSOR_GONE",
    )
