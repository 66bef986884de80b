"""Subdivisions of countries (ISO 3166-2)."""

from segserver_geographic import countries
from segserver_geographic.reference import key, once
from segserver_geographic.settings import GeographicSettings


def from_code(subdivision: str) -> str | None:
    """The code, if the text alone is a whole one (``US-CA``, in any case), or ``None``."""
    wanted = subdivision.strip().upper()
    return wanted if wanted in _codes() else None


def in_country(settings: GeographicSettings, country: str, subdivision: str) -> str | None:
    """The code of what the text names or codes (``CA``, ``California``) in the country, or ``None``."""
    alpha_2 = countries.code(settings, country)
    return _by_country().get(alpha_2 or "", {}).get(key(subdivision))


@once
def _codes() -> frozenset[str]:
    import pycountry

    return frozenset(item.code for item in pycountry.subdivisions)


@once
def _by_country() -> dict[str, dict[str, str]]:
    """Alpha-2 code → key of a code, its last part or its name → the whole code. Where a region and a part of
    it share a name, the name means the larger one; a code never yields to a name."""
    import pycountry

    found: dict[str, dict[str, str]] = {}
    largest_first = sorted(pycountry.subdivisions, key=lambda s: (s.parent_code is not None, s.code))
    for item in largest_first:
        names = found.setdefault(item.country_code, {})
        for text in (item.code, item.code.partition("-")[2]):
            names[key(text)] = item.code
    for item in largest_first:
        found[item.country_code].setdefault(key(item.name), item.code)
    return found
