"""The demographic strategy: who a customer is, in the terms of official statistics.

All its traits are CEL, so one customer and a table of a hundred million are answered alike.
"""

from collections.abc import Iterator

from segserver.strategies import hookimpl
from segserver.strategies.api import Strategy
from segserver_demographic.attributes import ATTRIBUTES
from segserver_demographic.segments import segments
from segserver_demographic.settings import DemographicSettings
from segserver_demographic.traits import traits

__all__ = ["STRATEGY", "DemographicSettings", "segserver_strategies"]

STRATEGY = Strategy(
    name="demographic",
    version="1.0.0",
    title="Demographic: age, generation, gender, income, education, occupation, family",
    settings=DemographicSettings,
    attributes=ATTRIBUTES,
    traits=traits,
    segments=segments,
)


@hookimpl
def segserver_strategies() -> Iterator[Strategy]:
    """Yields the demographic strategy."""
    yield STRATEGY
