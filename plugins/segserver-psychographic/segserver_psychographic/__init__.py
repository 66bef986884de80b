"""The psychographic strategy: what customers care about, how they live, what they are like.

All its traits are CEL, so one customer and a table of a hundred million are answered alike.
"""

from collections.abc import Iterator

from segserver.strategies import hookimpl
from segserver.strategies.api import Strategy
from segserver_psychographic.attributes import ATTRIBUTES
from segserver_psychographic.segments import segments
from segserver_psychographic.settings import PsychographicSettings
from segserver_psychographic.traits import traits

__all__ = ["STRATEGY", "PsychographicSettings", "segserver_strategies"]

STRATEGY = Strategy(
    name="psychographic",
    version="1.0.0",
    title="Psychographic: interests, values, lifestyle, personality, milieu, personas",
    settings=PsychographicSettings,
    attributes=ATTRIBUTES,
    traits=traits,
    segments=segments,
)


@hookimpl
def segserver_strategies() -> Iterator[Strategy]:
    """Yields the psychographic strategy."""
    yield STRATEGY
