"""The value strategy: what customers are worth, by thresholds and models that are fitted to a population.

Without a fit it knows recency, frequency and money; with one (``segserver strategies fit value``) also
scores, cells, tiers, classes and the value that is still to come.
"""

from collections.abc import Iterator

from segserver.strategies import hookimpl
from segserver.strategies.api import Strategy
from segserver_value.computed import EVENTS, computed
from segserver_value.fitting import FIT
from segserver_value.segments import segments
from segserver_value.settings import ValueSettings
from segserver_value.traits import traits

__all__ = ["STRATEGY", "ValueSettings", "segserver_strategies"]

STRATEGY = Strategy(
    name="value",
    version="1.0.0",
    title="Value: recency, frequency, money; RFM cells, tiers, ABC classes, lifetime value",
    settings=ValueSettings,
    events=EVENTS,
    computed=computed,
    traits=traits,
    segments=segments,
    fit=FIT,
)


@hookimpl
def segserver_strategies() -> Iterator[Strategy]:
    """Yields the value strategy."""
    yield STRATEGY
