"""Lists of subjects that are uploaded: ids become keys on the way in, and a list is replaced as a whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.catalog.names import close_to
from segserver.engine.answers import new_evaluation_id
from segserver.engine.memberships import kept_purposes
from segserver.engine.serving import Serving
from segserver.engine.store import Store
from segserver.errors import InvalidInput, LimitExceeded, NotFound, SegserverError
from segserver.model import Caller, SubjectId
from segserver.privacy.pseudonyms import Pseudonyms
from segserver.storage.contract import Connection
from segserver.storage.lists import ListRow, Lists
from segserver.storage.memberships import Memberships

LIST = "LIST"
"""Why a subject's memberships are looked at again."""

IDLE_US = 3_600_000_000
"""An upload that brings nothing for an hour has broken off, and what it brought is removed."""

OWNER_CHARACTERS_MAX = 200
"""The owner's name stands in the log and beside the list as it was given."""

REJECTED_NAMED_MAX = 100
"""So many wrong ids of an upload are told apart, by their places; all are counted."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What an upload is of. ``expires_us`` is microseconds since the epoch; ``None``: never."""

    name: str
    owner: str
    expires_us: int | None = None
    id_type: str = "customer"


@dataclass(slots=True)
class Progress:
    """How many ids were taken, how many were none, and for the first of those their places and why."""

    taken: int = 0
    rejected: int = 0
    reasons: list[tuple[int, SegserverError]] | None = None


class ListDesk:
    """Takes uploads, and says which lists there are."""

    def __init__(
        self,
        store: Store,
        pseudonyms: Pseudonyms,
        serving: Callable[[], Serving],
        now_us: Callable[[], int],
        ids_max: int,
    ) -> None:
        self._store = store
        self._pseudonyms = pseudonyms
        self._serving = serving
        self._now_us = now_us
        self._ids_max = ids_max
        self._rows = Lists()
        self._memberships = Memberships()

    async def upload(
        self, caller: Caller, upload: Upload, pieces: AsyncIterator[Sequence[str]]
    ) -> AsyncGenerator[Progress | ListRow]:
        """Takes the ids piece by piece, says after each how far it is, and last the list that serves now.

        Until then the list serves as it was; an upload that ends early leaves nothing that counts. Raises
        :class:`NotFound` for a list that the catalog does not declare, :class:`InvalidInput` for an owner
        that is no name, an expiry that is over, or no id at all, :class:`LimitExceeded` for more ids than a
        list may have, :class:`Unavailable`."""
        now_us = self._now_us()
        self._declared(upload.name)
        if len(upload.owner) > OWNER_CHARACTERS_MAX or not upload.owner.isprintable():
            raise InvalidInput.of(
                "owner", f"give a name of at most {OWNER_CHARACTERS_MAX} characters", reason="OWNER_INVALID"
            )
        if upload.expires_us is not None and upload.expires_us <= now_us:
            raise InvalidInput.of("expire_time", "is over already", reason="EXPIRY_OVER")
        version = int((await self._store.writer.write(lambda c: self._rows.begin(c, now_us))).result)
        row: ListRow | None = None
        try:
            progress = Progress(reasons=[])
            async for ids in pieces:
                keys = self._keys(upload.id_type, ids, progress)
                if progress.taken > self._ids_max:
                    raise LimitExceeded(
                        f"a list has at most {self._ids_max} ids (limits.list_ids_max)",
                        reason="LIMIT_EXCEEDED",
                        metadata={"limit": "list_ids_max", "value": str(self._ids_max)},
                    )
                await self._store.writer.write(partial(self._add, version, keys))
                yield progress
            if not progress.taken:
                raise InvalidInput.of("ids", "there was no id that could be taken", reason="LIST_EMPTY")
            row = await self._serve(caller, upload, version, progress)
            yield row
        finally:
            if row is None:
                await self._store.writer.write(lambda c: self._rows.give_up(c, version))
            await self._drop_unused()

    async def listing(self) -> list[ListRow]:
        """The lists that there are, expired ones too."""
        return await self._store.reads.read(self._rows.listing)

    async def delete(self, caller: Caller, name: str) -> None:
        """Lets a list serve no more: for rules it is unknown then. Raises :class:`NotFound`."""
        now_us = self._now_us()

        def work(connection: Connection) -> None:
            row = self._rows.get(connection, name)
            if row is None:
                known = [one.name for one in self._rows.listing(connection)]
                raise NotFound(f"no list {name!r}", reason="LIST_NOT_FOUND", near=close_to(name, known))
            self._mark(connection, name, now_us, ())
            self._rows.delete(connection, name)

        entry = self._entry(Kind.LIST_DELETED, caller, name, {}, now_us)
        await self._store.writer.write(work, (entry,))
        await self._drop_unused()

    def _mark(self, connection: Connection, name: str, now_us: int, versions: Sequence[int]) -> None:
        """Has memberships that hang on a list looked at again: of those who are in one of the versions, or
        without any of everybody, as a list that begins or ends to serve tells of each who is not in it, too.
        """
        serving = self._serving()
        if not any(name in serving.plan(purpose).needs.lists.values() for purpose in kept_purposes(serving)):
            return
        if not versions:
            self._memberships.set_looked_under(connection, "")
        for version in versions:
            self._rows.mark_members(connection, version, now_us, LIST)

    async def _drop_unused(self) -> None:
        """Removes, piece by piece, what no list needs any more."""
        idle_since_us = self._now_us() - IDLE_US
        while (await self._store.writer.write(lambda c: self._rows.drop_unused(c, idle_since_us))).result:
            pass

    def _add(self, version: int, keys: Sequence[bytes], connection: Connection) -> None:
        self._rows.add(connection, version, keys, self._now_us())

    def _declared(self, name: str) -> None:
        lists = self._serving().catalog.lists
        if name not in lists:
            raise NotFound(
                f"the catalog declares no list {name!r}", reason="LIST_NOT_FOUND", near=close_to(name, lists)
            )

    def _keys(self, id_type: str, ids: Sequence[str], progress: Progress) -> list[bytes]:
        """The keys of the ids that are some; the others are counted, the first of them with their places."""
        keys = []
        place = progress.taken + progress.rejected
        for number, one in enumerate(ids):
            try:
                keys.append(self._pseudonyms.subject_key(SubjectId(id_type, one)))
            except SegserverError as error:
                progress.rejected += 1
                if progress.reasons is not None and len(progress.reasons) < REJECTED_NAMED_MAX:
                    progress.reasons.append((place + number, error))
        progress.taken += len(keys)
        return keys

    async def _serve(self, caller: Caller, upload: Upload, version: int, progress: Progress) -> ListRow:
        now_us = self._now_us()

        def work(connection: Connection) -> ListRow:
            before = self._rows.get(connection, upload.name)
            goes_on = (
                before is not None
                and before.expires_us == upload.expires_us
                and (before.expires_us is None or before.expires_us > now_us)
            )
            versions = (before.version, version) if before is not None and goes_on else ()
            self._mark(connection, upload.name, now_us, versions)
            return self._rows.serve(connection, upload.name, version, upload.owner, now_us, upload.expires_us)

        def entries(row: ListRow) -> list[bytes]:
            details = {"owner": upload.owner, "rejected": str(progress.rejected)}
            if upload.expires_us is not None:
                details["expires"] = timestamp_us(upload.expires_us)
            return [self._entry(Kind.LIST_UPLOADED, caller, upload.name, details, now_us, row.size)]

        row: ListRow = (await self._store.writer.write(work, entries)).result
        return row

    def _entry(
        self, kind: Kind, caller: Caller, name: str, details: dict[str, str], now_us: int, size: int = 0
    ) -> bytes:
        return encode(
            Entry(
                time=timestamp_us(now_us),
                kind=kind,
                caller=caller.name,
                request_id=new_evaluation_id(now_us),
                catalog=self._serving().catalog.digest,
                subjects=size,
                details={"list": name, **details},
            )
        )
