"""Writes a catalog as YAML again: normalized, and resolving to the same digest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from segserver.catalog.catalog import Segment
from segserver.catalog.source import Source

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_/-]*( [A-Za-z][A-Za-z0-9_/-]*)*")


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes plain only what the catalog's own scalar rules and YAML 1.1's both read as text."""

    def ignore_aliases(self, _: object) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text else None if _PLAIN.fullmatch(text) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def documents(source: Source, segments: Mapping[str, Segment]) -> dict[str, str]:
    """File name → text, one file for each kind of definition that there is."""
    ready_made = sorted(segment.id for segment in segments.values() if segment.strategy)
    parts: dict[str, dict[str, Any]] = {
        "purposes.yaml": {
            "purposes": {name: _fields(d.value) for name, d in sorted(source.purposes.items())}
        },
        "attributes.yaml": {
            "attributes": {name: _fields(d.value) for name, d in sorted(source.attributes.items())}
        },
        "events.yaml": {
            "events": {name: _fields(d.value) for name, d in sorted(source.events.items())},
            "computed": {name: _fields(d.value) for name, d in sorted(source.computed.items())},
        },
        "lists.yaml": {"lists": {name: _fields(d.value) for name, d in sorted(source.lists.items())}},
        "strategies.yaml": {
            "strategies": {name: d.value for name, d in sorted(source.strategies.items())},
            "include": ready_made,
        },
        "fits.yaml": {"fits": {name: d.value for name, d in sorted(source.fits.items())}},
        "policy.yaml": {"policy": None if source.policy is None else _fields(source.policy.value)},
        "segments.yaml": {"segments": [_fields(d.value) for _, d in sorted(source.segments.items())]},
    }
    kept = {file: {key: value for key, value in part.items() if value} for file, part in parts.items()}
    return {file: _dump(part) for file, part in sorted(kept.items()) if part} or {"catalog.yaml": "{}\n"}


def fit_document(strategy: str, fit: Mapping[str, Any]) -> tuple[str, str]:
    """The catalog file (name, text) that holds a strategy's fit."""
    return f"fit-{strategy}.yaml", _dump({"fits": {strategy: fit}})


def _fields(definition: BaseModel) -> dict[str, Any]:
    """The fields that are not at their default; what has no order is sorted."""
    fields = definition.model_dump(mode="json", exclude_defaults=True)
    return {key: _ordered(value) for key, value in fields.items()}


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(item) for key, item in sorted(value.items())}
    return sorted(set(value)) if isinstance(value, list) else value


def _dump(part: Mapping[str, Any]) -> str:
    text: str = yaml.dump(part, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text
