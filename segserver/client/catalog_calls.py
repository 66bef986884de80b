"""The calls about catalogs; see :mod:`segserver.client.calls`."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from segserver.client.calls import Call, Listing, moment
from segserver.client.reading import read
from segserver.client.results import (
    Attribute,
    Catalog,
    CatalogDiff,
    CatalogVersion,
    ComputedAttribute,
    Document,
    EventDefinition,
    Purpose,
    RuleCheck,
    Segment,
    Strategy,
    StrategyFit,
)
from segserver.v1 import catalog_service_pb2 as pb

T = TypeVar("T")

PAGE_SIZE = 500
"""Entries asked for at a time: a thousand segments take two calls, and a page stays far below a message's
limit.
"""

_CATALOG = "segserver.v1.CatalogService"


def catalog(version: int = 0) -> Call[Catalog]:
    """A published catalog with its source documents; 0 asks for the one that serves."""
    return Call(
        _CATALOG,
        "GetCatalog",
        pb.GetCatalogRequest(version=version),
        pb.GetCatalogResponse,
        functools.partial(read, Catalog),
        lasting=True,
    )


def segment(segment_id: str) -> Call[Segment]:
    """One segment of the serving catalog."""
    return Call(
        _CATALOG,
        "GetSegment",
        pb.GetSegmentRequest(id=segment_id),
        pb.GetSegmentResponse,
        lambda reply: read(Segment, reply.segment),
    )


def segments(purpose: str = "", tag: str = "") -> Listing[Segment]:
    """The segments of the serving catalog by id: all, those that serve a purpose, or those with a tag."""
    request = functools.partial(pb.ListSegmentsRequest, purpose=purpose, tag=tag)
    return _listing("ListSegments", request, pb.ListSegmentsResponse, "segments", Segment)


def strategies() -> Listing[Strategy]:
    """The installed strategies by name, quarantined ones too."""
    return _listing(
        "ListStrategies", pb.ListStrategiesRequest, pb.ListStrategiesResponse, "strategies", Strategy
    )


def attributes() -> Listing[Attribute]:
    """The attributes of the serving catalog by name."""
    return _listing(
        "ListAttributes", pb.ListAttributesRequest, pb.ListAttributesResponse, "attributes", Attribute
    )


def event_definitions() -> Listing[EventDefinition]:
    """The events that the serving catalog declares, by name."""
    return _listing(
        "ListEventDefinitions",
        pb.ListEventDefinitionsRequest,
        pb.ListEventDefinitionsResponse,
        "definitions",
        EventDefinition,
    )


def computed_attributes() -> Listing[ComputedAttribute]:
    """The attributes that the serving catalog computes of events, by name."""
    return _listing(
        "ListComputedAttributes",
        pb.ListComputedAttributesRequest,
        pb.ListComputedAttributesResponse,
        "attributes",
        ComputedAttribute,
    )


def purposes() -> Listing[Purpose]:
    """The purposes of the serving catalog by name."""
    return _listing("ListPurposes", pb.ListPurposesRequest, pb.ListPurposesResponse, "purposes", Purpose)


def fit_strategy(
    strategy: str, purpose: str, at: dt.datetime | None = None, seed: int = 0
) -> Call[StrategyFit]:
    """What a strategy of the serving catalog learns of the stored customers who may be seen for a purpose."""
    return Call(
        _CATALOG,
        "FitStrategy",
        pb.FitStrategyRequest(strategy=strategy, purpose=purpose, evaluate_time=moment(at), seed=seed),
        pb.FitStrategyResponse,
        functools.partial(read, StrategyFit),
        lasting=True,
    )


def catalog_versions() -> Listing[CatalogVersion]:
    """The published versions, newest first."""
    return _listing(
        "ListCatalogVersions",
        pb.ListCatalogVersionsRequest,
        pb.ListCatalogVersionsResponse,
        "versions",
        CatalogVersion,
    )


def validate_rule(rule: str) -> Call[RuleCheck]:
    """Whether a rule would compile against the serving catalog, and what it would depend on."""
    return Call(
        _CATALOG,
        "ValidateRule",
        pb.ValidateRuleRequest(rule=rule),
        pb.ValidateRuleResponse,
        functools.partial(read, RuleCheck),
    )


def diff_catalog(documents: Sequence[Document], purpose: str = "") -> Call[CatalogDiff]:
    """What a catalog would change; with a purpose, how many stored subjects would enter and leave each
    segment.
    """
    return Call(
        _CATALOG,
        "DiffCatalog",
        pb.DiffCatalogRequest(documents=_documents(documents), purpose=purpose),
        pb.DiffCatalogResponse,
        functools.partial(read, CatalogDiff),
        lasting=True,
    )


def publish_catalog(
    documents: Sequence[Document], note: str = "", expected_digest: str = "", *, validate_only: bool = False
) -> Call[CatalogVersion]:
    """Stores a catalog as a new version and serves it from then on; ``validate_only`` checks and publishes
    nothing.

    ``expected_digest`` is that of the catalog it is meant to replace: the call fails where another one
    serves.
    """
    return Call(
        _CATALOG,
        "PublishCatalog",
        pb.PublishCatalogRequest(
            documents=_documents(documents),
            note=note,
            expected_digest=expected_digest,
            validate_only=validate_only,
        ),
        pb.PublishCatalogResponse,
        lambda reply: read(CatalogVersion, reply.version),
        lasting=True,
    )


def _documents(documents: Sequence[Document]) -> list[pb.Document]:
    return [pb.Document(name=document.name, text=document.text) for document in documents]


def _listing(
    method: str, request: Callable[..., Message], reply: type[Message], field: str, kind: type[T]
) -> Listing[T]:
    def read_page(message: Any) -> tuple[tuple[T, ...], str]:
        return tuple([read(kind, item) for item in getattr(message, field)]), message.next_page_token

    def page(token: str) -> Call[tuple[tuple[T, ...], str]]:
        return Call(_CATALOG, method, request(page_size=PAGE_SIZE, page_token=token), reply, read_page)

    return Listing(page)
