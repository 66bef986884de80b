"""Computed attributes, compiled once for a catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segserver.events.definitions import ComputedAttribute, Event
from segserver.model import TypeName
from segserver.rules.functions import Function


def problems(
    definition: ComputedAttribute, events: Mapping[str, Event], functions: Sequence[Function] = ()
) -> list[tuple[str, str]]:
    """Everything that is wrong with a definition: (field, message)."""
    return []


class ComputedProgram:
    """Computed attributes, compiled once for a catalog."""

    def __init__(
        self,
        attributes: Mapping[str, ComputedAttribute],
        events: Mapping[str, Event],
        functions: Sequence[Function] = (),
    ) -> None:
        self.types: Mapping[str, TypeName] = {}
        self.reads: Mapping[str, frozenset[tuple[str, str]]] = {}
