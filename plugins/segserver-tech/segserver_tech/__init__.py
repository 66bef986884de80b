"""The tech strategy: with what device, system, browser and tools a customer comes.

What the customer or a system of record states wins; the User-Agent header answers where nothing is stated.
"""

from collections.abc import Iterator

from segserver.strategies import hookimpl
from segserver.strategies.api import Strategy
from segserver_tech.attributes import ATTRIBUTES
from segserver_tech.segments import segments
from segserver_tech.settings import TechSettings
from segserver_tech.traits import traits

__all__ = ["STRATEGY", "TechSettings", "segserver_strategies"]

STRATEGY = Strategy(
    name="tech",
    version="1.0.0",
    title="Tech: device, operating system, browser, apps, tools, proficiency",
    settings=TechSettings,
    attributes=ATTRIBUTES,
    traits=traits,
    segments=segments,
)


@hookimpl
def segserver_strategies() -> Iterator[Strategy]:
    """Yields the tech strategy."""
    yield STRATEGY
