"""The ready-made needs segments."""

from __future__ import annotations

from collections.abc import Iterable

from segserver.strategies.api import Segment
from segserver.strategies.cel import literal
from segserver_needs.settings import NeedsSettings, trait_name

OWNER = "segserver-needs"


def segments(settings: NeedsSettings) -> list[Segment]:
    """The segments under these settings: the themes, and one exclusive group for each trait with a list."""
    return [
        *(
            Segment(
                f"needs/{name}",
                rule=f"needs.{trait_name(name)}",
                title=theme.title or name,
                owner=OWNER,
                tags=("needs", "theme"),
            )
            for name, theme in settings.themes.items()
        ),
        *_group("challenge", "main_challenge", "Main challenge: {}", settings.challenges),
        *_group("industry", "industry", "Industry: {}", [industry.label for industry in settings.industries]),
        *_group("role", "role", "Role in a purchase: {}", settings.roles),
    ]


def _group(prefix: str, trait: str, title: str, labels: Iterable[str]) -> list[Segment]:
    return [
        Segment(
            f"needs/{prefix}-{name}",
            rule=f"needs.{trait} == {literal(name)}",
            title=title.format(name.replace("-", " ")),
            owner=OWNER,
            tags=("needs", prefix),
            exclusive_group=f"needs-{prefix}",
            priority=position,
        )
        for position, name in enumerate(labels, start=1)
    ]
