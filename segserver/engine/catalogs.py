"""Catalogs: the one that serves, its older versions, publishing another, and what that would change."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import structlog

from segserver import catalog as catalogs_room
from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.catalog import Catalog
from segserver.config import Limits
from segserver.engine import rule_limits
from segserver.engine.serving import Serving
from segserver.engine.store import Store
from segserver.errors import (
    CatalogError,
    Conflict,
    FailedPrecondition,
    NotFound,
    Problem,
    SegserverError,
    Unavailable,
)
from segserver.model import Caller, Category
from segserver.rules import Environment
from segserver.rules.cost import measure
from segserver.storage import catalogs
from segserver.storage.catalogs import CatalogRow
from segserver.storage.contract import Connection
from segserver.strategies.host import Host
from segserver.strategies.manager import Installed

USUAL_LIMITS = Limits()

log = structlog.get_logger("segserver.engine")

Documents = Mapping[str, str]
"""A catalog's source: file name to YAML text."""

STRATEGIES_CHANGED = "the installed strategies have changed"


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What a rule would be in a catalog: its type, what it refers to, and what it depends on through that."""

    type: str
    references: frozenset[str]
    reads: frozenset[str]
    categories: frozenset[Category]
    purposes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Published:
    """A stored version with its source."""

    row: CatalogRow
    documents: Documents


class _Stored(NamedTuple):
    """What a publication left: the row that serves, and whether it is a new one."""

    row: CatalogRow
    added: bool


class Catalogs:
    """Holds the serving catalog and replaces it in one step, so that an evaluation keeps the one it began
    with.

    ``trouble`` is why the newest catalog does not serve here, for as long as it does not: the one of before
    serves on.
    """

    def __init__(
        self,
        store: Store,
        installed: Installed,
        host: Host,
        serve: Callable[[Catalog, CatalogRow], Serving],
        now_us: Callable[[], int],
    ) -> None:
        self._store = store
        self._installed = installed
        self._host = host
        self._serve = serve
        self._now_us = now_us
        self._serving: Serving | None = None
        self._publishing = asyncio.Lock()
        self._refused = 0
        """The stored version that can't serve here."""
        self.trouble: SegserverError | None = None

    @property
    def installed(self) -> Installed:
        """What the plugins brought."""
        return self._installed

    @property
    def serving(self) -> Serving:
        """What serves now. Raises :class:`FailedPrecondition` before the first publication."""
        if self._serving is None:
            raise FailedPrecondition(
                "no catalog is published yet; start with --catalog DIRECTORY", reason="CATALOG_MISSING"
            )
        return self._serving

    def resolve(self, documents: Documents) -> Catalog:
        """Compiles a catalog and the program of each purpose, and has the code of its traits load what it
        needs: no evaluation waits for that. Raises :class:`CatalogError` with every problem. Takes up to
        seconds: not for the event loop."""
        catalog = catalogs_room.resolve(documents, self._installed, self._host)
        if not catalog.purposes:
            raise CatalogError([Problem("no purpose is declared, so that nobody could ask for anything")])
        used = (trait for segment in catalog.segments.values() for trait in segment.code)
        self._host.warm_up(frozenset(used))
        for purpose in catalog.purposes:
            catalog.program(purpose)
        return catalog

    def open(self, documents: Documents | None) -> None:
        """At the start: serves the latest stored version, or publishes ``documents`` where they differ from
        it.

        Raises :class:`FailedPrecondition` when there is neither, :class:`CatalogError` when what would serve
        has problems."""
        row, note = catalogs.latest(self._store.reader), ""
        if documents is None:
            if row is None:
                _ = self.serving  # which says what is missing
                return
            documents, note = _documents(self._store.reader, row), STRATEGIES_CHANGED
        catalog = self.resolve(documents)
        if row is None or row.digest != catalog.digest:
            work, entries = self._publication(catalog, "startup", note)
            row = self._store.writer.write_blocking(work, entries).result.row
        self._serve_now(catalog, row)

    async def follow(self, row: CatalogRow | None) -> None:
        """Serves ``row``, the newest stored version, where another process has published it.

        One that can't be compiled here is refused and logged once; the one of before serves on. Raises
        :class:`Unavailable` when the store can't be read."""
        if row is None or row.version in (self.serving.row.version, self._refused):
            return
        documents = (await self.version(row.version)).documents
        try:
            catalog = await asyncio.to_thread(self.resolve, documents)
            if catalog.digest != row.digest:
                raise FailedPrecondition(
                    f"version {row.version} of the catalog was published with other strategies than those "
                    "installed here: install the same, and restart",
                    reason="STRATEGIES_DIFFER",
                )
        except (CatalogError, FailedPrecondition) as error:
            self._refused = row.version
            self._refuse(error)
            return
        async with self._publishing:
            if row.version > self.serving.row.version:
                self._serve_now(catalog, row)
                log.info("catalog serves", version=row.version, catalog=row.digest)

    async def reload(self, directory: Path) -> None:
        """Publishes the catalog of a directory where it differs from the newest; several processes that do so
        at once make one version of it.

        One that has problems is logged, and the one of before serves on. Raises :class:`Unavailable`."""
        try:
            documents = await asyncio.to_thread(catalogs_room.read_directory, directory)
            catalog = await asyncio.to_thread(self.resolve, documents)
        except Unavailable:
            raise
        except SegserverError as error:
            self._refuse(error)
            return
        async with self._publishing:
            work, entries = self._publication(catalog, "reload", "")
            row: CatalogRow = (await self._store.writer.write(work, entries)).result.row
            self._serve_now(catalog, row)
        log.info("catalog serves", version=row.version, catalog=row.digest)

    async def publish(
        self,
        caller: Caller,
        documents: Documents,
        *,
        limits: Limits = USUAL_LIMITS,
        note: str = "",
        expected_digest: str = "",
        validate_only: bool = False,
    ) -> CatalogRow:
        """Stores a catalog as the next version and serves it. ``limits`` are for what the caller wrote.

        Raises :class:`CatalogError` with every problem, :class:`Conflict` when ``expected_digest`` serves no
        more, :class:`Unavailable` when it can't be stored; the old one goes on serving then."""
        catalog = await asyncio.to_thread(self.resolve, documents)
        rule_limits.check_catalog(catalog, limits)
        async with self._publishing:
            _expect(expected_digest, await self._store.reads.read(catalogs.latest))
            if validate_only:
                return CatalogRow(0, catalog.digest, self._now_us(), caller.name, note)
            work, entries = self._publication(catalog, caller.name, note, expected_digest, anew=True)
            row: CatalogRow = (await self._store.writer.write(work, entries)).result.row
            self._serve_now(catalog, row)
            return row

    async def version(self, number: int) -> Published:
        """A stored version; 0 stands for the one that serves. Raises :class:`NotFound`."""
        wanted = number or self.serving.row.version
        found = await self._store.reads.read(lambda connection: catalogs.get(connection, wanted))
        if found is None:
            raise NotFound(f"no catalog has version {number}", reason="CATALOG_VERSION_NOT_FOUND")
        return Published(*found)

    async def versions(self, before: int, count: int) -> Sequence[CatalogRow]:
        """Up to ``count`` versions older than ``before``, newest first."""
        return await self._store.reads.read(lambda connection: catalogs.page(connection, before, count))

    def check_rule(self, rule: str, limits: Limits = USUAL_LIMITS) -> RuleReport:
        """What a rule would be in the serving catalog. Raises :class:`RuleError` when it does not compile, or
        is beyond a limit.
        """
        catalog = self.serving.catalog
        variables = dict(catalog.input_types)
        variables |= {name: trait.type for name, trait in catalog.traits.items()}
        variables |= {segment.variable: "bool" for segment in catalog.segments.values()}
        functions = [installed.function for installed in self._installed.functions]
        checked = Environment(variables, functions).check(rule)
        rule_limits.check_rule(checked, limits)
        measure(checked, {})
        reads = frozenset().union(*(catalog.steps.origins.get(name, {name}) for name in checked.reads))
        labels = [catalog.policy.labels[name] for name in reads]
        return RuleReport(
            type=checked.type,
            references=checked.reads,
            reads=reads,
            categories=frozenset().union(*(label.categories for label in labels)),
            purposes=frozenset(catalog.purposes).intersection(
                *(label.purposes for label in labels if label.purposes is not None)
            ),
        )

    def _serve_now(self, catalog: Catalog, row: CatalogRow) -> None:
        replaced, self._serving = self._serving, self._serve(catalog, row)
        self.trouble = None
        if replaced is not None:
            del replaced
            # A compiled catalog refers to itself in circles, and the collector comes by seldom: without this,
            # a server keeps megabytes of what served before.
            gc.collect()

    def _refuse(self, error: SegserverError) -> None:
        self.trouble = error
        log.error("catalog refused", reason=error.reason, problem=error.message)

    def _publication(
        self, catalog: Catalog, publisher: str, note: str, expected_digest: str = "", *, anew: bool = False
    ) -> tuple[Callable[[Connection], _Stored], Callable[[_Stored], Sequence[bytes]]]:
        """The work that stores a catalog, and the audit entry that tells of it.

        Unless ``anew``, the newest version is left as it is where it is this catalog already: several
        workers start, and are told to reload, at once."""
        now_us = self._now_us()

        def store(connection: Connection) -> _Stored:
            # Another process may have published: only within the transaction is it known what serves.
            latest = catalogs.latest(connection)
            _expect(expected_digest, latest)
            if not anew and latest is not None and latest.digest == catalog.digest:
                return _Stored(latest, added=False)
            row = catalogs.add(
                connection,
                digest=catalog.digest,
                published_us=now_us,
                publisher=publisher,
                note=note,
                documents=catalog.documents,
            )
            return _Stored(row, added=True)

        strategies = {strategy.name: strategy.version for strategy in catalog.strategies.values()}
        entry = encode(
            Entry(
                time=timestamp_us(now_us),
                kind=Kind.CATALOG_PUBLISHED,
                caller=publisher,
                catalog=catalog.digest,
                strategies=strategies,
            )
        )
        return store, lambda stored: (entry,) if stored.added else ()


def _documents(connection: Connection, row: CatalogRow) -> Documents:
    """The source of a stored version."""
    found = catalogs.get(connection, row.version)
    if found is None:
        raise NotFound(f"no catalog has version {row.version}", reason="CATALOG_VERSION_NOT_FOUND")
    return found[1]


def _expect(digest: str, latest: CatalogRow | None) -> None:
    """Raises :class:`Conflict` when a digest is given and the latest version has another."""
    if digest and latest is not None and latest.digest != digest:
        raise Conflict(
            f"{latest.digest} serves meanwhile; look at the difference, then publish",
            reason="CATALOG_CHANGED",
        )
