"""Segments as a table, and one segment in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segserver.cli._output import console, joined, table, time_text

if TYPE_CHECKING:
    from segserver.client import CatalogVersion, Purpose, Segment


def print_segments(version: CatalogVersion, purposes: Sequence[Purpose], segments: Sequence[Segment]) -> None:
    """A catalog at a glance."""
    out = console()
    out.print(f"version {version.version} of {time_text(version.publish_time)}, {version.digest}")
    made = table("purpose", "legal basis", "title")
    for purpose in purposes:
        made.add_row(purpose.name, purpose.legal_basis, purpose.title)
    out.print(made)
    made = table("segment", "title", whole="segment")
    for segment in segments:
        made.add_row(segment.id, segment.title)
    out.print(made)
    out.print(f"{len(segments)} segments; 'segserver catalog show SEGMENT' shows one with its rule")


def print_segment(segment: Segment) -> None:
    """All there is to say about one segment."""
    made = table("field", "value", show_header=False)
    group = f"{segment.exclusive_group}, priority {segment.priority}" if segment.exclusive_group else ""
    rows = {
        "id": segment.id,
        "title": segment.title,
        "rule": segment.rule,
        "name in rules": segment.variable,
        "purposes": joined(segment.purposes),
        "reads": joined(segment.reads),
        "categories": joined(segment.categories),
        "owner": segment.owner,
        "strategy": segment.strategy,
        "tags": joined(segment.tags),
        "exclusive group": group,
        "minimum audience": str(segment.minimum_audience),
    }
    for name, value in rows.items():
        if value:
            made.add_row(name, value)
    console().print(made)
