"""The needs strategy: what customers struggle with and look for, and what their business is.

All its traits are CEL, so one customer and a table of a hundred million are answered alike.
"""

from collections.abc import Iterator

from segserver.strategies import hookimpl
from segserver.strategies.api import Strategy
from segserver_needs.attributes import ATTRIBUTES
from segserver_needs.segments import segments
from segserver_needs.settings import NeedsSettings
from segserver_needs.traits import traits

__all__ = ["STRATEGY", "NeedsSettings", "segserver_strategies"]

STRATEGY = Strategy(
    name="needs",
    version="1.0.0",
    title="Needs: pain points, benefits sought, industry, role, main challenge",
    settings=NeedsSettings,
    attributes=ATTRIBUTES,
    traits=traits,
    segments=segments,
)


@hookimpl
def segserver_strategies() -> Iterator[Strategy]:
    """Yields the needs strategy."""
    yield STRATEGY
