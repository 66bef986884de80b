"""The ready-made psychographic segments.

There is none for neuroticism as the leading trait: a ready list of anxious people invites to exploit them.
Whoever has a lawful use for one writes it, with its purposes, into a catalog.
"""

from __future__ import annotations

from collections.abc import Iterable

from segserver.strategies.api import Segment
from segserver.strategies.cel import literal
from segserver_psychographic.attributes import BIG_FIVE
from segserver_psychographic.settings import PsychographicSettings, trait_name
from segserver_psychographic.traits import BALANCED

OWNER = "segserver-psychographic"
WITHOUT_SEGMENT = "neuroticism"


def segments(settings: PsychographicSettings) -> list[Segment]:
    """The segments under these settings: the personas, and one exclusive group for each trait with a list."""
    leading = [name for name in (*BIG_FIVE, BALANCED) if name != WITHOUT_SEGMENT]
    return [
        *(
            Segment(
                f"psychographic/{name}",
                rule=f"psychographic.{trait_name(name)}",
                title=persona.title or name,
                owner=OWNER,
                tags=("psychographic", "persona"),
            )
            for name, persona in settings.personas.items()
        ),
        *_group("personality", "leading_trait", "Personality: {}", leading),
        *_group("lifestyle", "lifestyle", "Lifestyle: {}", settings.lifestyles),
        *_group("milieu", "milieu", "Milieu: {}", [milieu.label for milieu in settings.milieus]),
        *(
            Segment(
                f"psychographic/interest-{name}",
                rule=f"{literal(name)} in psychographic.interests",
                title=f"Interested in {name.replace('-', ' ')}",
                owner=OWNER,
                tags=("psychographic", "interest"),
            )
            for name in settings.interests
        ),
    ]


def _group(prefix: str, trait: str, title: str, labels: Iterable[str]) -> list[Segment]:
    return [
        Segment(
            f"psychographic/{prefix}-{name}",
            rule=f"psychographic.{trait} == {literal(name)}",
            title=title.format(name.replace("-", " ")),
            owner=OWNER,
            tags=("psychographic", prefix),
            exclusive_group=f"psychographic-{prefix}",
            priority=position,
        )
        for position, name in enumerate(labels, start=1)
    ]
