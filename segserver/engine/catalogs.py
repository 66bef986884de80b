"""Catalogs: the one that serves, its older versions, publishing another, and what that would change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from segserver import catalog as catalogs_room
from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.catalog import Catalog
from segserver.engine.serving import Serving
from segserver.errors import Conflict, FailedPrecondition, NotFound
from segserver.model import Caller, Category
from segserver.rules import Environment
from segserver.rules.cost import measure
from segserver.storage.sqlite import Connection, Writer, catalogs
from segserver.storage.sqlite.catalogs import CatalogRow
from segserver.strategies.host import Host
from segserver.strategies.manager import Installed

Documents = Mapping[str, str]
"""A catalog's source: file name to YAML text."""


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


class Catalogs:
    """Holds the serving catalog and replaces it in one step, so that an evaluation keeps the one it began
    with.
    """

    def __init__(
        self,
        reader: Connection,
        writer: Writer,
        installed: Installed,
        host: Host,
        serve: Callable[[Catalog, CatalogRow], Serving],
        now_us: Callable[[], int],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._installed = installed
        self._host = host
        self._serve = serve
        self._now_us = now_us
        self._serving: Serving | None = None
        self._publishing = asyncio.Lock()

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
        row = catalogs.latest(self._reader)
        if documents is not None:
            catalog = self.resolve(documents)
            if row is None or row.digest != catalog.digest:
                store, entry = self._publication(catalog, "startup", "")
                row = self._writer.write_blocking(store, (entry,)).result
            self._serving = self._serve(catalog, row)
        elif row is not None:
            published = self.version(row.version)
            catalog = self.resolve(published.documents)
            if catalog.digest != row.digest:
                store, entry = self._publication(catalog, "startup", "the installed strategies have changed")
                row = self._writer.write_blocking(store, (entry,)).result
            self._serving = self._serve(catalog, row)
        else:
            _ = self.serving

    async def publish(
        self,
        caller: Caller,
        documents: Documents,
        *,
        note: str = "",
        expected_digest: str = "",
        validate_only: bool = False,
    ) -> CatalogRow:
        """Stores a catalog as the next version and serves it.

        Raises :class:`CatalogError` with every problem, :class:`Conflict` when ``expected_digest`` serves no
        more, :class:`Unavailable` when it can't be stored; the old one goes on serving then."""
        catalog = await asyncio.to_thread(self.resolve, documents)
        async with self._publishing:
            _expect(expected_digest, catalogs.latest(self._reader))
            if validate_only:
                return CatalogRow(0, catalog.digest, self._now_us(), caller.name, note)
            store, entry = self._publication(catalog, caller.name, note, expected_digest)
            row: CatalogRow = (await self._writer.write(store, (entry,))).result
            self._serving = self._serve(catalog, row)
            return row

    def version(self, number: int) -> Published:
        """A stored version; 0 stands for the one that serves. Raises :class:`NotFound`."""
        found = catalogs.get(self._reader, number or self.serving.row.version)
        if found is None:
            raise NotFound(f"no catalog has version {number}", reason="CATALOG_VERSION_NOT_FOUND")
        return Published(*found)

    def versions(self, before: int, count: int) -> Sequence[CatalogRow]:
        """Up to ``count`` versions older than ``before``, newest first."""
        return catalogs.page(self._reader, before, count)

    def check_rule(self, rule: str) -> RuleReport:
        """What a rule would be in the serving catalog. Raises :class:`RuleError` when it does not compile."""
        catalog = self.serving.catalog
        variables = {name: attribute.type for name, attribute in catalog.attributes.items()}
        variables |= {name: trait.type for name, trait in catalog.traits.items()}
        variables |= {segment.variable: "bool" for segment in catalog.segments.values()}
        functions = [installed.function for installed in self._installed.functions]
        checked = Environment(variables, functions).check(rule)
        measure(checked, {})
        reads = frozenset().union(*(catalog.steps.origins.get(name, {name}) for name in checked.reads))
        attributes = [catalog.attributes[name] for name in reads]
        return RuleReport(
            type=checked.type,
            references=checked.reads,
            reads=reads,
            categories=frozenset(attribute.category for attribute in attributes),
            purposes=frozenset(catalog.purposes).intersection(
                *(attribute.purposes for attribute in attributes)
            ),
        )

    def _publication(
        self, catalog: Catalog, publisher: str, note: str, expected_digest: str = ""
    ) -> tuple[Callable[[Connection], CatalogRow], bytes]:
        """The work that stores a catalog, and the audit entry that tells of it."""
        now_us = self._now_us()

        def store(connection: Connection) -> CatalogRow:
            # Another process may have published: only within the transaction is it known what serves.
            _expect(expected_digest, catalogs.latest(connection))
            return catalogs.add(
                connection,
                digest=catalog.digest,
                published_us=now_us,
                publisher=publisher,
                note=note,
                documents=catalog.documents,
            )

        strategies = {strategy.name: strategy.version for strategy in catalog.strategies.values()}
        entry = Entry(
            time=timestamp_us(now_us),
            kind=Kind.CATALOG_PUBLISHED,
            caller=publisher,
            catalog=catalog.digest,
            strategies=strategies,
        )
        return store, encode(entry)


def _expect(digest: str, latest: CatalogRow | None) -> None:
    """Raises :class:`Conflict` when a digest is given and the latest version has another."""
    if digest and latest is not None and latest.digest != digest:
        raise Conflict(
            f"{latest.digest} serves meanwhile; look at the difference, then publish",
            reason="CATALOG_CHANGED",
        )
