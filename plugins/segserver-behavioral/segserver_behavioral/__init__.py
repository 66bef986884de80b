"""The behavioral strategy: what customers do, and how often.

All its traits are CEL over computed attributes, so one customer and a whole population are answered alike.
"""

from collections.abc import Iterator

from segserver.strategies import hookimpl
from segserver.strategies.api import Strategy
from segserver_behavioral.computed import EVENTS, computed
from segserver_behavioral.segments import segments
from segserver_behavioral.settings import BehavioralSettings
from segserver_behavioral.traits import traits

__all__ = ["STRATEGY", "BehavioralSettings", "segserver_strategies"]

STRATEGY = Strategy(
    name="behavioral",
    version="1.0.0",
    title="Behavioral: purchases, channels, interests, e-mail, sessions, returns, support, churn risk",
    settings=BehavioralSettings,
    events=EVENTS,
    computed=computed,
    traits=traits,
    segments=segments,
)


@hookimpl
def segserver_strategies() -> Iterator[Strategy]:
    """Yields the behavioral strategy."""
    yield STRATEGY
