"""The ready-made psychographic segments.

There is none for neuroticism as the leading trait: a ready list of anxious people invites to exploit them.
Whoever has a lawful use for one writes it, with its purposes, into a catalog.
"""

from __future__ import annotations

from segserver.strategies.api import Segment
from segserver.strategies.cel import literal
from segserver.strategies.ready_made import ReadyMade, titled
from segserver_psychographic.attributes import BIG_FIVE
from segserver_psychographic.settings import PsychographicSettings, trait_name
from segserver_psychographic.traits import BALANCED

READY_MADE = ReadyMade("psychographic", owner="segserver-psychographic")
WITHOUT_SEGMENT = "neuroticism"


def segments(settings: PsychographicSettings) -> list[Segment]:
    """The segments under these settings: the personas, and one exclusive group for each trait with a list."""
    leading = [name for name in (*BIG_FIVE, BALANCED) if name != WITHOUT_SEGMENT]
    return [
        *(
            READY_MADE.one(name, persona.title or name, f"psychographic.{trait_name(name)}", tag="persona")
            for name, persona in settings.personas.items()
        ),
        *READY_MADE.each("personality", "leading_trait", titled("Personality: {}", leading)),
        *READY_MADE.each("lifestyle", "lifestyle", titled("Lifestyle: {}", settings.lifestyles)),
        *READY_MADE.each(
            "milieu", "milieu", titled("Milieu: {}", [milieu.label for milieu in settings.milieus])
        ),
        *(
            READY_MADE.one(
                f"interest-{name}",
                f"Interested in {name.replace('-', ' ')}",
                f"{literal(name)} in psychographic.interests",
                tag="interest",
            )
            for name in settings.interests
        ),
    ]
