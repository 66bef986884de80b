"""The segments on their way into a catalog: its own, and those that its strategies offer ready-made."""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from segserver.catalog.definitions import MINIMUM_AUDIENCE, SegmentDefinition
from segserver.catalog.names import near
from segserver.catalog.source import Defined, Source
from segserver.catalog.used import Used
from segserver.errors import Problem
from segserver.strategies import api
from segserver.strategies.contract import variable_of


@dataclass(frozen=True, slots=True)
class Draft:
    """A segment on its way into the catalog; ``used`` is the strategy that offers it ready-made."""

    definition: SegmentDefinition
    place: Defined[Any]
    used: Used | None = None

    @property
    def variable(self) -> str:
        """How rules name it."""
        return variable_of(self.definition.id)

    def problem(self, message: str, *path: str, line: int | None = None) -> Problem:
        """A problem with it, where an analyst can do something about it."""
        if self.used is None:
            return self.place.problem(message, *path, line=line)
        return self.place.problem(f"ready-made segment {self.definition.id}: {message}")


def drafts(source: Source, used: Mapping[str, Used], problems: list[Problem]) -> dict[str, Draft]:
    """The segments: the source's own, and the ready-made ones that it includes and does not define itself."""
    offered: dict[str, list[tuple[api.Segment, Used]]] = defaultdict(list)
    for _, user in sorted(used.items()):
        for segment in user.resolved.segments:
            offered[segment.id].append((segment, user))
    found = {name: Draft(place.value, place) for name, place in source.segments.items()}
    for segment_id in sorted(_chosen(source, offered, problems) - found.keys() - source.broken):
        (segment, user), *others = offered[segment_id]
        if others:
            message = f"{user} and {others[0][1]} both offer the segment {segment_id}; define it yourself"
            problems.append(user.place.problem(message))
        try:
            found[segment_id] = Draft(_definition(segment), user.place, user)
        except ValidationError as error:
            texts = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            problems.append(user.place.problem(f"ready-made segment {segment_id}: {texts}"))
    return dict(sorted(found.items()))


def _chosen(source: Source, offered: Mapping[str, object], problems: list[Problem]) -> set[str]:
    chosen: set[str] = set()
    for entries, keep in ((source.include, True), (source.exclude, False)):
        for entry in entries:
            matches = {name for name in offered if fnmatch.fnmatchcase(name, entry.value)}
            chosen = chosen | matches if keep else chosen - matches
            if not matches and source.broken.isdisjoint(source.strategies):
                message = f"no ready-made segment of the strategies in use matches {entry.value!r}"
                if not keep:
                    message += ", so that there is nothing to exclude"
                problems.append(entry.problem(message + near(entry.value, offered)))
    return chosen


def _definition(segment: api.Segment) -> SegmentDefinition:
    return SegmentDefinition(
        id=segment.id,
        rule=segment.rule,
        title=segment.title,
        purposes=None if segment.purposes is None else tuple(segment.purposes),
        owner=segment.owner,
        tags=tuple(segment.tags),
        exclusive_group=segment.exclusive_group,
        priority=segment.priority,
        minimum_audience=MINIMUM_AUDIENCE if segment.minimum_audience is None else segment.minimum_audience,
        derives_special=segment.derives_special,
        legal_or_similar_effect=segment.legal_or_similar_effect,
    )
