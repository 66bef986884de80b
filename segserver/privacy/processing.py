"""Records of processing activities (GDPR art. 30), written from what actually runs: the policy, not a second
document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from segserver.model import Category
from segserver.privacy.policy import Policy, Purpose
from segserver.privacy.receipt import Controller

DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000

SECURITY = (
    "Subjects are stored under keyed pseudonyms (HMAC-SHA-256); raw ids are not stored.",
    "Each subject's data is sealed under a key of its own (AES-256-GCM-SIV), itself wrapped (AES-SIV).",
    "Each recipient gets pseudonyms of its own, which can't be joined with another's.",
    "Every evaluation passes the consent gate, and leaves an entry in a tamper-evident log.",
    "Erasure destroys the subject's key and overwrites the freed pages.",
)
"""The measures of art. 32(1) that the server itself takes."""


class Kind(StrEnum):
    """What is kept of behavior, or made of it."""

    EVENT = "event"
    COMPUTED = "computed attribute"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Behavior:
    """An event, a computed attribute or a list, as the catalog declares it."""

    kind: Kind
    name: str
    categories: frozenset[Category]
    """Its own, and those of what it consists of or is computed from."""
    purposes: frozenset[str]
    """The purposes that may see it."""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the record takes from outside the policy."""

    controller: Controller
    recipients: Mapping[str, Iterable[str]]
    """Caller → the purposes it may use; ``*`` for all."""
    strategies: Mapping[str, str]
    """Installed strategy → its version."""
    segments: Mapping[str, Iterable[str]]
    """Segment → the purposes it serves."""
    behavior: Iterable[Behavior] = ()
    """Events, computed attributes and uploaded lists."""


def processing_record(policy: Policy, sources: Sources) -> dict[str, Any]:
    """The record as JSON values: the controller, and for each purpose what art. 30(1)(b) to (g) ask for."""
    controller = sources.controller
    return {
        "controller": {
            "name": controller.name,
            "contact": controller.contact,
            "data_protection_officer": controller.officer_contact,
        },
        "activities": [_activity(policy, policy.purposes[name], sources) for name in sorted(policy.purposes)],
        "behavior": [
            _behavior(policy, one) for one in sorted(sources.behavior, key=lambda one: (one.kind, one.name))
        ],
        "strategies": dict(sorted(sources.strategies.items())),
        "security": list(SECURITY),
    }


def markdown(record: Mapping[str, Any]) -> str:
    """The record for people."""
    controller = record["controller"]
    lines = [
        "# Record of processing activities",
        "",
        f"Controller: {controller['name'] or 'not set'}  ",
        f"Contact: {controller['contact'] or 'not set'}  ",
        f"Data protection officer: {controller['data_protection_officer'] or 'not set'}",
    ]
    for activity in record["activities"]:
        lines += ["", f"## {activity['title'] or activity['purpose']}", ""]
        lines += [activity["description"], ""] if activity["description"] else []
        lines += ["| | |", "|---|---|"]
        lines += [f"| {label} | {_cell(activity[field])} |" for label, field in _ROWS]
    if record["behavior"]:
        lines += ["", "## Events, computed attributes and lists", ""]
        lines += ["| kind | name | categories | purposes | kept for | owner |", "|---|---|---|---|---|---|"]
        fields = ("kind", "name", "categories", "purposes", "retention", "owner")
        lines += [f"| {' | '.join(_cell(one[name]) for name in fields)} |" for one in record["behavior"]]
    lines += ["", "## Strategies", ""]
    lines += [f"- {name} {version}" for name, version in record["strategies"].items()]
    lines += ["", "## Security", "", *(f"- {measure}" for measure in record["security"]), ""]
    return "\n".join(lines)


_ROWS = (
    ("Purpose", "purpose"),
    ("Legal basis", "legal_basis"),
    ("Condition of art. 9(2)", "special_condition"),
    ("Profiling", "profiling"),
    ("Direct marketing", "direct_marketing"),
    ("Categories of data subjects", "subjects"),
    ("Categories of personal data", "categories"),
    ("Attributes", "attributes"),
    ("Segments", "segments"),
    ("Recipients", "recipients"),
    ("Time limits for erasure", "retention"),
)


def _activity(policy: Policy, purpose: Purpose, sources: Sources) -> dict[str, Any]:
    attributes = sorted(
        name
        for name, label in policy.labels.items()
        if label.categories <= purpose.categories
        and (label.purposes is None or purpose.name in label.purposes)
    )
    return {
        "purpose": purpose.name,
        "title": purpose.title,
        "description": purpose.description,
        "legal_basis": purpose.legal_basis.value,
        "special_condition": purpose.special_condition,
        "profiling": purpose.profiling,
        "direct_marketing": purpose.direct_marketing,
        "subjects": ["customers"],
        "categories": sorted(category.value for category in purpose.categories),
        "attributes": attributes,
        "segments": sorted(name for name, serves in sources.segments.items() if purpose.name in serves),
        "recipients": sorted(
            name for name, purposes in sources.recipients.items() if {"*", purpose.name} & set(purposes)
        ),
        "retention": {
            category.value: _duration(policy.retention_us.get(category))
            for category in sorted(purpose.categories)
        },
    }


def _behavior(policy: Policy, one: Behavior) -> dict[str, Any]:
    limits = [policy.retention_us[category] for category in one.categories if category in policy.retention_us]
    kept = {
        Kind.EVENT: _duration(min(limits, default=None)),
        Kind.COMPUTED: "not stored: computed from events when it is asked for",
        Kind.LIST: "until it expires, is replaced or deleted",
    }
    return {
        "kind": one.kind.value,
        "name": one.name,
        "categories": sorted(category.value for category in one.categories),
        "purposes": sorted(one.purposes),
        "retention": kept[one.kind],
        "owner": one.owner,
    }


def _duration(retention_us: int | None) -> str:
    if retention_us is None:
        return "until erased"
    days, rest = divmod(retention_us, DAY_US)
    return f"{retention_us // HOUR_US} hours" if rest else f"{days} days"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        value = [f"{name}: {text}" for name, text in value.items()]
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return text.replace("|", "\\|") or "none"
