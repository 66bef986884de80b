"""CatalogService."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TypeVar

from segserver.catalog import fit_document
from segserver.config import Limits
from segserver.engine import Engine
from segserver.errors import InvalidInput, RuleError
from segserver.model import Caller
from segserver.rpc import catalog_messages as messages
from segserver.rpc import convert
from segserver.storage.catalogs import CatalogRow
from segserver.strategies import fits
from segserver.strategies.contract import ResolvedStrategy
from segserver.v1 import catalog_service_pb2 as pb

PAGE_DEFAULT, PAGE_MAX = 100, 1_000

T = TypeVar("T")


class CatalogServicer:
    """Shows, checks, compares and publishes catalogs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._limits: Limits = engine.config.limits
        self._offers: Mapping[str, ResolvedStrategy] | None = None

    async def GetCatalog(self, request: pb.GetCatalogRequest, _: Caller) -> pb.GetCatalogResponse:  # noqa: N802
        """The serving catalog, or an older version, as source."""
        published = await self._engine.catalogs.version(request.version)
        return pb.GetCatalogResponse(
            version=messages.version(published.row),
            documents=[
                pb.Document(name=name, text=text) for name, text in sorted(published.documents.items())
            ],
        )

    async def ListSegments(self, request: pb.ListSegmentsRequest, _: Caller) -> pb.ListSegmentsResponse:  # noqa: N802
        """The segments by id."""
        chosen = {
            name: segment
            for name, segment in self._engine.catalogs.serving.catalog.segments.items()
            if (not request.purpose or request.purpose in segment.purposes)
            and (not request.tag or request.tag in segment.tags)
        }
        items, token = _page(chosen, request.page_size, request.page_token)
        return pb.ListSegmentsResponse(
            segments=[messages.segment(item) for item in items], next_page_token=token
        )

    async def GetSegment(self, request: pb.GetSegmentRequest, _: Caller) -> pb.GetSegmentResponse:  # noqa: N802
        """One segment."""
        segment = self._engine.catalogs.serving.catalog.segment(request.id)
        return pb.GetSegmentResponse(segment=messages.segment(segment))

    async def ListStrategies(  # noqa: N802
        self, request: pb.ListStrategiesRequest, _: Caller
    ) -> pb.ListStrategiesResponse:
        """The strategies by name, quarantined plugins too."""
        catalog = self._engine.catalogs.serving.catalog
        if self._offers is None:
            self._offers = await asyncio.to_thread(messages.offers, self._engine.installed)
        installed, host = self._engine.installed, self._engine.host
        everything = messages.strategies(installed, self._offers, catalog, host.failures)
        messages.add_processes(everything, installed)
        items, token = _page(everything, request.page_size, request.page_token)
        return pb.ListStrategiesResponse(strategies=items, next_page_token=token)

    async def ListAttributes(  # noqa: N802
        self, request: pb.ListAttributesRequest, _: Caller
    ) -> pb.ListAttributesResponse:
        """The attributes by name."""
        catalog = self._engine.catalogs.serving.catalog
        items, token = _page(catalog.attributes, request.page_size, request.page_token)
        return pb.ListAttributesResponse(
            attributes=[messages.attribute(item) for item in items], next_page_token=token
        )

    async def ListEventDefinitions(  # noqa: N802
        self, request: pb.ListEventDefinitionsRequest, _: Caller
    ) -> pb.ListEventDefinitionsResponse:
        """The declared events by name."""
        catalog = self._engine.catalogs.serving.catalog
        items, token = _page(catalog.events, request.page_size, request.page_token)
        return pb.ListEventDefinitionsResponse(
            definitions=[messages.event(item) for item in items], next_page_token=token
        )

    async def ListComputedAttributes(  # noqa: N802
        self, request: pb.ListComputedAttributesRequest, _: Caller
    ) -> pb.ListComputedAttributesResponse:
        """The computed attributes by name."""
        catalog = self._engine.catalogs.serving.catalog
        items, token = _page(catalog.computed, request.page_size, request.page_token)
        return pb.ListComputedAttributesResponse(
            attributes=[messages.computed(item) for item in items], next_page_token=token
        )

    async def ListPurposes(self, request: pb.ListPurposesRequest, _: Caller) -> pb.ListPurposesResponse:  # noqa: N802
        """The purposes by name."""
        catalog = self._engine.catalogs.serving.catalog
        items, token = _page(catalog.purposes, request.page_size, request.page_token)
        return pb.ListPurposesResponse(
            purposes=[messages.purpose(item) for item in items], next_page_token=token
        )

    async def ValidateRule(self, request: pb.ValidateRuleRequest, _: Caller) -> pb.ValidateRuleResponse:  # noqa: N802
        """Whether a rule compiles against the serving catalog, and what it would depend on."""
        if not request.rule:
            raise InvalidInput.of("rule", "write a rule", reason="RULE_MISSING")
        try:
            checked = await asyncio.to_thread(self._engine.catalogs.check_rule, request.rule, self._limits)
        except RuleError as error:
            problem = pb.RuleProblem(message=error.message, line=error.line, column=error.column)
            return pb.ValidateRuleResponse(problems=[problem])
        return pb.ValidateRuleResponse(
            type=checked.type,
            references=sorted(checked.references),
            reads=sorted(checked.reads),
            categories=sorted(checked.categories),
            purposes=sorted(checked.purposes),
        )

    async def DiffCatalog(self, request: pb.DiffCatalogRequest, caller: Caller) -> pb.DiffCatalogResponse:  # noqa: N802
        """What a catalog would change, and for how many stored subjects."""
        comparison = await self._engine.comparer.compare(
            caller, self._documents(request.documents), request.purpose
        )
        return messages.comparison(comparison)

    async def PublishCatalog(  # noqa: N802
        self, request: pb.PublishCatalogRequest, caller: Caller
    ) -> pb.PublishCatalogResponse:
        """Stores a catalog as the next version and serves it."""
        row = await self._engine.catalogs.publish(
            caller,
            self._documents(request.documents),
            limits=self._limits,
            note=request.note,
            expected_digest=request.expected_digest,
            validate_only=request.validate_only,
        )
        return pb.PublishCatalogResponse(version=messages.version(row))

    async def FitStrategy(self, request: pb.FitStrategyRequest, caller: Caller) -> pb.FitStrategyResponse:  # noqa: N802
        """What a strategy learns of the stored customers."""
        fitted = await self._engine.fitter.fit(
            caller,
            request.strategy,
            convert.purpose(request.purpose),
            convert.time_us(request.evaluate_time if request.HasField("evaluate_time") else None),
            request.seed,
        )
        name, text = fit_document(fitted.strategy, fitted.fit)
        return pb.FitStrategyResponse(
            document=pb.Document(name=name, text=text),
            digest=fitted.fit[fits.DIGEST],
            customers=fitted.customers,
        )

    async def ListCatalogVersions(  # noqa: N802
        self, request: pb.ListCatalogVersionsRequest, _: Caller
    ) -> pb.ListCatalogVersionsResponse:
        """The published versions, newest first."""
        size = _size(request.page_size)
        before = _before(request.page_token)
        rows: Sequence[CatalogRow] = await self._engine.catalogs.versions(before, size + 1)
        token = str(rows[size - 1].version) if len(rows) > size else ""
        return pb.ListCatalogVersionsResponse(
            versions=[messages.version(row) for row in rows[:size]], next_page_token=token
        )

    def _documents(self, documents: Sequence[pb.Document]) -> dict[str, str]:
        if not documents:
            raise InvalidInput.of("documents", "send the catalog's files", reason="CATALOG_MISSING")
        if sum(len(document.text) for document in documents) > self._limits.catalog_bytes_max:
            raise convert.too_long("documents", "catalog_bytes_max", self._limits.catalog_bytes_max)
        texts = {document.name: document.text for document in documents}
        if len(texts) < len(documents):
            raise InvalidInput.of("documents", "two documents have one name", reason="DOCUMENT_TWICE")
        return texts


def _size(page_size: int) -> int:
    if page_size < 0:
        raise InvalidInput.of("page_size", "is negative", reason="PAGE_SIZE_INVALID")
    return min(page_size or PAGE_DEFAULT, PAGE_MAX)


def _before(token: str) -> int:
    if token and not (token.isascii() and token.isdigit() and len(token) < 19):
        raise InvalidInput.of(
            "page_token", "is not one that this server gave out", reason="PAGE_TOKEN_INVALID"
        )
    return int(token) if token else 2**63 - 1


def _page(items: Mapping[str, T], page_size: int, token: str) -> tuple[list[T], str]:
    """A page of a mapping that is sorted by key; the token is the last key of the page before."""
    size = _size(page_size)
    names = [name for name in sorted(items) if name > token]
    page = names[:size]
    return [items[name] for name in page], page[-1] if len(names) > size else ""
