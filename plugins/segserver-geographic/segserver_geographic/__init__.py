"""The geographic strategy: where a customer lives, in the codes of ISO and the UN, and with what language.

Reference data are read when a trait first needs them, never at import.
"""

from collections.abc import Iterator

from segserver.strategies import hookimpl
from segserver.strategies.api import Strategy
from segserver_geographic.attributes import ATTRIBUTES
from segserver_geographic.segments import segments
from segserver_geographic.settings import GeographicSettings
from segserver_geographic.traits import traits
from segserver_geographic.validate import check

__all__ = ["STRATEGY", "GeographicSettings", "segserver_strategies"]

STRATEGY = Strategy(
    name="geographic",
    version="1.0.0",
    title="Geographic: country, region, city, climate, language, market",
    settings=GeographicSettings,
    attributes=ATTRIBUTES,
    traits=traits,
    segments=segments,
    check=check,
)


@hookimpl
def segserver_strategies() -> Iterator[Strategy]:
    """Yields the geographic strategy."""
    yield STRATEGY
