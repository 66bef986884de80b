"""The catalog's nouns as messages."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from segserver.catalog import Attribute, Catalog, Segment, Trait
from segserver.catalog.catalog import Computed, Event
from segserver.engine.compare import Comparison
from segserver.errors import InvalidInput
from segserver.events.definitions import ComputedAttribute
from segserver.privacy.policy import Purpose
from segserver.rpc import convert
from segserver.storage.catalogs import CatalogRow
from segserver.strategies import api
from segserver.strategies.contract import ResolvedStrategy
from segserver.strategies.host import Failures
from segserver.strategies.manager import Installed
from segserver.v1 import catalog_service_pb2 as pb

_KINDS = {"added": pb.CHANGE_KIND_ADDED, "removed": pb.CHANGE_KIND_REMOVED, "changed": pb.CHANGE_KIND_CHANGED}


def version(row: CatalogRow) -> pb.CatalogVersion:
    """A published version."""
    return pb.CatalogVersion(
        version=row.version,
        digest=row.digest,
        publish_time=convert.timestamp(row.published_us),
        publisher=row.publisher,
        note=row.note,
    )


def segment(item: Segment) -> pb.Segment:
    """A segment, resolved."""
    return pb.Segment(
        id=item.id,
        title=item.title,
        rule=item.rule,
        purposes=sorted(item.purposes),
        owner=item.owner,
        tags=item.tags,
        exclusive_group=item.exclusive_group,
        priority=item.priority,
        minimum_audience=item.minimum_audience,
        reads=sorted(item.reads),
        categories=sorted(item.categories),
        strategy=item.strategy,
        variable=item.variable,
    )


def attribute(item: Attribute) -> pb.Attribute:
    """A typed input."""
    return pb.Attribute(
        name=item.name,
        type=item.type,
        category=item.category,
        title=item.title,
        purposes=sorted(item.purposes),
        values=item.values,
        owners=item.owners,
    )


def event(item: Event) -> pb.EventDefinition:
    """What subjects do, as it is declared."""
    return pb.EventDefinition(
        name=item.name,
        category=item.category,
        title=item.title,
        purposes=sorted(item.purposes),
        properties=[
            pb.EventProperty(
                name=name, type=each.type, category=each.category, title=each.title, values=each.values
            )
            for name, each in sorted(item.definition.properties.items())
        ],
        owners=item.owners,
    )


def computed(item: Computed) -> pb.ComputedAttribute:
    """An aggregate of events."""
    return pb.ComputedAttribute(
        name=item.name,
        type=item.type,
        categories=sorted(item.categories),
        title=item.title,
        purposes=sorted(item.purposes),
        definition_json=json.dumps(_definition(item.definition)),
        owners=item.owners,
    )


def _definition(noun: ComputedAttribute) -> dict[str, object]:
    """What a catalog has to write to say how it is computed."""
    elsewhere = {"name", "category", "title", "purposes"}
    return {
        field.name: value
        for field in dataclasses.fields(noun)
        if field.name not in elsewhere and (value := getattr(noun, field.name)) != field.default
    }


def purpose(item: Purpose) -> pb.Purpose:
    """What an answer can be for."""
    return pb.Purpose(
        name=item.name, title=item.title, legal_basis=item.legal_basis, categories=sorted(item.categories)
    )


def offers(installed: Installed) -> dict[str, ResolvedStrategy]:
    """What each strategy brings with the settings that it has by default; runs the plugins' code."""
    found = {}
    for item in installed.strategies:
        with suppress(InvalidInput):  # it needs settings
            found[item.name] = item.resolve()
    return found


def strategies(
    installed: Installed,
    offers: Mapping[str, ResolvedStrategy],
    catalog: Catalog,
    failures: Mapping[str, Failures],
) -> dict[str, pb.Strategy]:
    """Every installed strategy by name, and every quarantined plugin by its own.

    A strategy that the catalog does not use is shown with what it would bring, as in ``offers``. ``failures``
    counts by trait.
    """
    found: dict[str, pb.Strategy] = {}
    for item in installed.strategies:
        message = pb.Strategy(
            name=item.name,
            version=item.strategy.version,
            title=item.strategy.title,
            distribution=f"{item.origin.distribution} {item.origin.version}".strip(),
            attributes=sorted(attribute.name for attribute in item.strategy.attributes),
        )
        if used := catalog.strategies.get(item.name):
            traits = [trait for trait in catalog.traits.values() if trait.strategy == item.name]
            message.enabled = True
            message.traits.extend(_trait(trait) for trait in traits)
            message.segments.extend(
                sorted(s.id for s in catalog.segments.values() if s.strategy == item.name)
            )
            message.settings_json = _json(used.settings)
            failed = [failures[trait.name] for trait in traits if trait.name in failures]
            message.failure_count = sum(one.count for one in failed)
            message.last_failure = failed[-1].last if failed else ""
        elif offer := offers.get(item.name):
            message.traits.extend(_offered(item.name, trait) for trait in offer.traits)
            message.segments.extend(sorted(s.id for s in offer.segments))
            message.settings_json = _json(offer.settings.model_dump(mode="json"))
        found[item.name] = message
    for plugin in installed.quarantined:
        name = plugin.origin.plugin
        found.setdefault(
            name,
            pb.Strategy(
                name=name,
                distribution=f"{plugin.origin.distribution} {plugin.origin.version}".strip(),
                quarantine_reason=plugin.reason,
            ),
        )
    return found


def add_processes(strategies: Mapping[str, pb.Strategy], installed: Installed) -> None:
    """Adds the state of the plugin host processes to the isolated strategies."""
    hosts = (
        {} if installed.isolation is None else {one.distribution: one for one in installed.isolation.stats()}
    )
    for item in installed.strategies:
        host = hosts.get(item.origin.distribution)
        if item.isolated and host is not None:
            message = strategies[item.name]
            message.process_state = host.state
            message.process_failure_count = host.failures
            message.process_walls.extend(host.walls)
            message.last_failure = host.last_failure or message.last_failure


def comparison(item: Comparison) -> pb.DiffCatalogResponse:
    """What a catalog would change. Numbers too small to release are left out."""
    return pb.DiffCatalogResponse(
        segments=[
            pb.SegmentChange(
                segment=change.segment,
                kind=_KINDS[change.kind],
                fields=change.fields,
                entering=change.entering,
                leaving=change.leaving,
                members_before=change.members_before,
                members_after=change.members_after,
                through=change.through,
            )
            for change in item.segments
        ],
        others=[
            pb.OtherChange(
                part=change.part,
                name=change.name,
                kind=_KINDS[change.kind],
                fields=change.fields,
                through=change.through,
            )
            for change in item.others
        ],
        population=item.population,
        digest=item.digest,
    )


def _trait(item: Trait) -> pb.Trait:
    return pb.Trait(
        name=item.name,
        type=item.type,
        title=item.title,
        rule=item.rule,
        values=item.values,
        reads=sorted(item.reads),
        categories=sorted(item.categories),
    )


def _offered(strategy: str, item: api.Trait) -> pb.Trait:
    """A trait that no catalog has resolved: what it reads is known where code derives it."""
    return pb.Trait(
        name=f"{strategy}.{item.name}",
        type=item.type,
        title=item.title,
        rule=item.rule or "",
        values=item.values,
        reads=sorted(item.reads),
    )


def _json(settings: Mapping[str, Any]) -> str:
    return msgspec.json.encode(dict(settings), order="sorted").decode()
