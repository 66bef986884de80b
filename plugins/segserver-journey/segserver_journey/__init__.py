"""The journey strategy: where a customer stands on the way from visitor to won back.

All its traits are CEL over computed attributes, so one customer and a whole population are answered alike.
"""

from collections.abc import Iterator

from segserver.strategies import hookimpl
from segserver.strategies.api import Strategy
from segserver_journey.computed import EVENTS, computed
from segserver_journey.settings import JourneySettings
from segserver_journey.stages import segments, traits

__all__ = ["STRATEGY", "JourneySettings", "segserver_strategies"]

STRATEGY = Strategy(
    name="journey",
    version="1.0.0",
    title="Journey: one stage for each customer, from visitor to won back, and waiting for support",
    settings=JourneySettings,
    events=EVENTS,
    computed=computed,
    traits=traits,
    segments=segments,
)


@hookimpl
def segserver_strategies() -> Iterator[Strategy]:
    """Yields the journey strategy."""
    yield STRATEGY
