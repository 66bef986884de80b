"""What another catalog would change: in its definitions, and for the people who are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import polars as pl

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.catalog import Catalog
from segserver.catalog.diff import Change, diff
from segserver.engine import population
from segserver.engine.answers import new_evaluation_id
from segserver.engine.behavior import Behavior
from segserver.engine.catalogs import Catalogs, Documents
from segserver.engine.serving import Serving
from segserver.engine.store import Store
from segserver.errors import PermissionDenied
from segserver.model import Caller
from segserver.privacy.gate import Gate
from segserver.privacy.release import Release
from segserver.privacy.vault import Subject, Vault
from segserver.rules.times import to_datetime
from segserver.storage.subjects import Subjects


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """How a segment differs. A number is ``None`` where it is too small to release, or was not asked for."""

    segment: str
    kind: str
    fields: tuple[str, ...]
    entering: int | None = None
    leaving: int | None = None
    members_before: int | None = None
    members_after: int | None = None
    through: tuple[str, ...] = ()
    """What it depends on, directly or not, whose meaning changed."""


@dataclass(frozen=True, slots=True)
class OtherChange:
    """How an attribute, a purpose, a strategy or a trait differs."""

    part: str
    name: str
    kind: str
    fields: tuple[str, ...]
    through: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the other catalog would change. ``population`` is how many subjects were counted."""

    digest: str
    segments: tuple[SegmentChange, ...]
    others: tuple[OtherChange, ...]
    population: int


class Comparer:
    """Compares a catalog that is not published with the one that serves."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        behavior: Behavior,
        catalogs: Catalogs,
        release: Release,
        now_us: Callable[[], int],
    ) -> None:
        self._behavior = behavior
        self._store = store
        self._release = release
        self._vault = vault
        self._catalogs = catalogs
        self._now_us = now_us

    async def compare(self, caller: Caller, documents: Documents, purpose: str) -> Comparison:
        """What ``documents`` would change. With a purpose, also how many stored subjects would enter and
        leave each segment.

        Raises :class:`CatalogError` with every problem of the documents, :class:`PermissionDenied` for a
        purpose that the caller may not use, :class:`NotFound` for one that neither catalog has."""
        if purpose and not caller.may_use(purpose):
            raise PermissionDenied(
                f"{caller.name} may not ask for this purpose",
                reason="PURPOSE_NOT_PERMITTED",
                metadata={"purpose": purpose},
            )
        before = self._catalogs.serving
        catalog = await asyncio.to_thread(self._catalogs.resolve, documents)
        after = Serving(catalog, before.row, Gate(catalog.policy))
        difference = diff(before.catalog, after.catalog)
        counts: Mapping[str, _Members] = {}
        size = 0
        if purpose:
            if purpose not in before.catalog.purposes:
                catalog.purpose(purpose)
            size, counts = await asyncio.to_thread(self._count, caller, before, after, purpose)
            await self._store.writer.write(
                None, (self._entry(caller, purpose, before.catalog, catalog, size),)
            )
        return Comparison(
            digest=catalog.digest,
            segments=tuple(
                self._segment_change(change, counts, before.catalog, catalog)
                for change in difference.segments
            ),
            others=tuple(OtherChange(c.part, c.name, c.kind, c.fields, c.through) for c in difference.others),
            population=size,
        )

    def _count(
        self, caller: Caller, before: Serving, after: Serving, purpose: str
    ) -> tuple[int, Mapping[str, _Members]]:
        """How many subjects there are, and the members of each segment under both catalogs. For a thread of
        its own.

        The catalog that is not published sees nothing that the serving one would hide: whoever compares does
        not decide what may be seen."""
        now_us = self._now_us()
        with closing(self._store.connect()) as connection:
            subjects = [self._vault.open(row) for page in Subjects().pages(connection) for row in page]
            done = population.Done(self._behavior, connection, now_us)
            old = members(before, caller, purpose, subjects, now_us, done)
            new = members(after, caller, purpose, subjects, now_us, done, also=before.gate)
        nobody = pl.Series([False] * len(subjects), dtype=pl.Boolean)
        return len(subjects), {
            segment: _Members(old.get(segment, nobody), new.get(segment, nobody))
            for segment in old.keys() | new.keys()
        }

    def _segment_change(
        self, change: Change, counts: Mapping[str, _Members], before: Catalog, after: Catalog
    ) -> SegmentChange:
        found = counts.get(change.name)
        if found is None:
            return SegmentChange(change.name, change.kind, change.fields, through=change.through)
        minimum = max(
            catalog.segments[change.name].minimum_audience
            for catalog in (before, after)
            if change.name in catalog.segments
        )

        def released(who: pl.Series) -> int | None:
            return self._release.released(int(who.sum()), minimum, _bytes(who))

        was, will = found.before, found.after
        return SegmentChange(
            change.name,
            change.kind,
            change.fields,
            entering=released(will & ~was),
            leaving=released(was & ~will),
            members_before=released(was),
            members_after=released(will),
            through=change.through,
        )

    def _entry(self, caller: Caller, purpose: str, catalog: Catalog, compared: Catalog, size: int) -> bytes:
        now_us = self._now_us()
        return encode(
            Entry(
                time=timestamp_us(now_us),
                kind=Kind.BATCH_EVALUATION,
                caller=caller.name,
                request_id=new_evaluation_id(now_us),
                purpose=purpose,
                catalog=catalog.digest,
                subjects=size,
                details={"use": "catalog diff", "compared": compared.digest},
            )
        )


@dataclass(frozen=True, slots=True)
class _Members:
    """Who is a member under each catalog, in the order of the subject keys."""

    before: pl.Series
    after: pl.Series


def members(
    serving: Serving,
    caller: Caller,
    purpose: str,
    subjects: Sequence[Subject],
    now_us: int,
    done: population.Done | None,
    also: Gate | None = None,
) -> dict[str, pl.Series]:
    """Segment id → who is certainly a member, in the order of ``subjects``. Empty when the catalog lacks the
    purpose. ``also`` is a gate that every value has to pass besides the catalog's own.
    """
    if purpose not in serving.catalog.purposes:
        return {}
    bulk = serving.catalog.bulk(purpose)
    table = population.see(subjects, serving, caller, purpose, now_us, done, also).frame
    answered = bulk.polars(table, now=to_datetime(now_us), subject=population.SUBJECT)
    variables = [serving.catalog.segments[segment].variable for segment in bulk.segments]
    return {
        segment: answered[variable].fill_null(value=False) & ~table[population.STOPPED]
        for segment, variable in zip(bulk.segments, variables, strict=True)
    }


def _bytes(who: pl.Series) -> bytes:
    """One byte for each subject: the same for the same members of the same population."""
    return bytes(who.cast(pl.UInt8).to_list())
