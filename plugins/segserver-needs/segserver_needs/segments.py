"""The ready-made needs segments."""

from __future__ import annotations

from segserver.strategies.api import Segment
from segserver.strategies.ready_made import ReadyMade, titled
from segserver_needs.settings import NeedsSettings, trait_name

READY_MADE = ReadyMade("needs", owner="segserver-needs")


def segments(settings: NeedsSettings) -> list[Segment]:
    """The segments under these settings: the themes, and one exclusive group for each trait with a list."""
    return [
        *(
            READY_MADE.one(name, theme.title or name, f"needs.{trait_name(name)}", tag="theme")
            for name, theme in settings.themes.items()
        ),
        *READY_MADE.each("challenge", "main_challenge", titled("Main challenge: {}", settings.challenges)),
        *READY_MADE.each(
            "industry",
            "industry",
            titled("Industry: {}", [industry.label for industry in settings.industries]),
        ),
        *READY_MADE.each("role", "role", titled("Role in a purchase: {}", settings.roles)),
    ]
