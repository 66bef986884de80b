"""The digest that names a catalog: equal for equal meaning, however the files are laid out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from segserver.catalog.catalog import (
    Attribute,
    Behavior,
    Computed,
    Event,
    Segment,
    Strategy,
    SubjectList,
    Trait,
)
from segserver.model import Category
from segserver.privacy.policy import Policy, Purpose, Regime

FORMAT = 1
"""Rises when the same definitions come to mean something else."""

_TOKENS = re.compile(
    r"""
    \b(?:[rR][bB]?|[bB][rR]) (?: ""\".*?""\" | \'{3}.*?\'{3} | "[^"]*" | '[^']*' )
    | (?:\b[bB])? (?: ""\"(?:\\.|.)*?""\" | \'{3}(?:\\.|.)*?\'{3} | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' )
    | (?P<comment> //[^\n]* )
    | \w+
    | \S
    """,
    re.DOTALL | re.VERBOSE,
)
"""Strings (raw ones, where a backslash is nothing special, and others), comments, words, signs."""


def canonical(rule: str) -> str:
    """The rule's tokens with one space between them, without comments."""
    return " ".join(match[0] for match in _TOKENS.finditer(rule) if match.lastgroup != "comment")


def digest(
    attributes: Mapping[str, Attribute],
    behavior: Behavior,
    lists: Mapping[str, SubjectList],
    purposes: Mapping[str, Purpose],
    policy: Policy,
    strategies: Mapping[str, Strategy],
    traits: Mapping[str, Trait],
    segments: Mapping[str, Segment],
    functions: Mapping[str, str],
) -> str:
    """SHA-256, in hex, over canonical JSON of everything that shapes answers or says what they are.

    ``functions`` are the plugins' functions (name → signature and origin); those count whose names stand in
    a rule.
    """
    rules = [trait.rule for trait in traits.values()] + [segment.rule for segment in segments.values()]
    for computed in behavior.computed.values():
        rules += [computed.definition.where, computed.definition.then_where]
    words = {word for rule in rules for word in canonical(rule).split(" ")}
    content = {
        "format": FORMAT,
        "attributes": {name: attribute_fields(a) for name, a in attributes.items()},
        "events": {name: event_fields(e) for name, e in behavior.events.items()},
        "computed": {name: computed_fields(c) for name, c in behavior.computed.items()},
        "time_zone": behavior.time_zone,
        "lists": {name: list_fields(one) for name, one in lists.items()},
        "purposes": {name: purpose_fields(p) for name, p in purposes.items()},
        "policy": policy_parts(policy),
        "strategies": {name: strategy_fields(s) for name, s in strategies.items()},
        "traits": {name: trait_fields(t) for name, t in traits.items()},
        "segments": {name: segment_fields(s) for name, s in segments.items()},
        "functions": {name: text for name, text in functions.items() if name in words},
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def attribute_fields(attribute: Attribute) -> dict[str, Any]:
    """What an attribute is, as JSON values."""
    return {
        "type": attribute.type,
        "category": attribute.category,
        "title": attribute.title,
        "purposes": sorted(attribute.purposes),
        "values": sorted(attribute.values),
    }


def event_fields(event: Event) -> dict[str, Any]:
    """What an event is, as JSON values."""
    return {
        "category": event.category,
        "title": event.title,
        "purposes": sorted(event.purposes),
        "properties": {
            name: {
                "type": prop.type,
                "category": Category(prop.category),
                "title": prop.title,
                "values": sorted(prop.values),
            }
            for name, prop in sorted(event.definition.properties.items())
        },
    }


def computed_fields(computed: Computed) -> dict[str, Any]:
    """What a computed attribute is, as JSON values."""
    definition = computed.definition
    return {
        "type": computed.type,
        "category": computed.category,
        "title": computed.title,
        "purposes": sorted(computed.purposes),
        "sources": sorted(computed.sources),
        "event": definition.event,
        "aggregate": definition.aggregate,
        "window": definition.window,
        "where": canonical(definition.where),
        "of": definition.of,
        "weight": definition.weight,
        "top": definition.top,
        "then": definition.then,
        "then_where": canonical(definition.then_where),
        "within": definition.within,
        "time_zone": definition.time_zone,
        "versus": definition.versus,
        "comparison": definition.comparison if definition.versus else "",
    }


def list_fields(one: SubjectList) -> dict[str, Any]:
    """What an uploaded list is, as JSON values; who is in it is no part of the catalog."""
    return {
        "category": one.category,
        "title": one.title,
        "purposes": sorted(one.purposes),
        "owner": one.owner,
    }


def purpose_fields(purpose: Purpose) -> dict[str, Any]:
    """What a purpose is, as JSON values."""
    return {
        "legal_basis": purpose.legal_basis,
        "categories": sorted(purpose.categories),
        "title": purpose.title,
        "description": purpose.description,
        "direct_marketing": purpose.direct_marketing,
        "sale_or_sharing": purpose.sale_or_sharing,
        "profiling": purpose.profiling,
        "special_condition": purpose.special_condition,
        "memberships": purpose.memberships,
    }


def policy_parts(policy: Policy) -> dict[str, dict[str, Any]]:
    """The policy in parts, each as JSON values: how an age is known, retention in microseconds, and the
    regime of each jurisdiction.
    """
    parts: dict[str, dict[str, Any]] = {
        "age": {
            "deny_unknown_age": policy.deny_unknown_age,
            "birth_date": policy.birth_date_attribute,
            "age": policy.age_attribute,
        },
        "retention": {category.value: policy.retention_us.get(category) for category in Category},
        "regime of any other": _regime_fields(policy.default_regime),
    }
    return parts | {f"regime of {name}": _regime_fields(regime) for name, regime in policy.regimes.items()}


def _regime_fields(regime: Regime) -> dict[str, Any]:
    return {
        "opt_in": regime.opt_in,
        "honors_gpc": regime.honors_gpc,
        "sensitive": sorted(regime.sensitive),
        "special_needs_explicit_consent": regime.special_needs_explicit_consent,
        "child_below_years": regime.child_below_years,
    }


def strategy_fields(strategy: Strategy) -> dict[str, Any]:
    """What a strategy in use is, as JSON values."""
    return {
        "version": strategy.version,
        "distribution": strategy.distribution,
        "settings": strategy.settings,
    }


def trait_fields(trait: Trait) -> dict[str, Any]:
    """What a trait is, as JSON values."""
    return {
        "type": trait.type,
        "title": trait.title,
        "rule": canonical(trait.rule),
        "inputs": list(trait.inputs),
        "values": sorted(trait.values),
        "derives_special": trait.derives_special,
    }


def segment_fields(segment: Segment) -> dict[str, Any]:
    """What a segment is, as JSON values."""
    return {
        "rule": canonical(segment.rule),
        "title": segment.title,
        "owner": segment.owner,
        "tags": sorted(segment.tags),
        "purposes": sorted(segment.purposes),
        "exclusive_group": segment.exclusive_group,
        "priority": segment.priority if segment.exclusive_group else 0,
        "minimum_audience": segment.minimum_audience,
        "derives_special": segment.derives_special,
        "legal_or_similar_effect": segment.legal_or_similar_effect,
        "strategy": segment.strategy,
    }
