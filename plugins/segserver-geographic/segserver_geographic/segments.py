"""The ready-made segments of the geographic strategy."""

from segserver.strategies.api import Segment
from segserver.strategies.cel import labels_of, literal
from segserver_geographic import climate
from segserver_geographic.regions import REGIONS, SUBREGIONS
from segserver_geographic.settings import GeographicSettings
from segserver_geographic.traits import in_market


def segments(settings: GeographicSettings) -> list[Segment]:
    """One for each region, sub-region, city size, climate zone, language and market; and home and abroad."""
    return [
        *(_is("region", "world_region", name, f"In {_words(name)}") for name in REGIONS),
        *(_is("subregion", "subregion", name, f"In {_words(name)}") for name in SUBREGIONS),
        *(
            _is("city-size", "city_size_band", name, f"Lives in a place of the size {_words(name)}")
            for name in labels_of(settings.city_size_bands)
        ),
        *(
            _is("climate", "climate_zone", name, f"Lives in a {name} climate")
            for name in climate.MAIN_CLASSES.values()
        ),
        *(_is("language", "language", name, f"Prefers the language {name}") for name in settings.languages),
        *(
            _segment(f"market-{market.label}", in_market(market), market.title or f"Market {market.label}")
            for market in settings.markets
        ),
        *_home(settings),
    ]


def _home(settings: GeographicSettings) -> list[Segment]:
    if settings.home_country is None:
        return []
    home = literal(settings.home_country)
    return [
        _segment("home", f"geographic.country == {home}", "In our own country"),
        _segment("abroad", f"geographic.country != {home}", "In another country than ours"),
    ]


def _words(label: str) -> str:
    return label.replace("-", " ")


def _is(group: str, trait: str, value: str, title: str) -> Segment:
    return _segment(f"{group}-{value}", f"geographic.{trait} == {literal(value)}", title)


def _segment(name: str, rule: str, title: str) -> Segment:
    return Segment(
        f"geographic/{name}", rule=rule, title=title, owner="segserver-geographic", tags=("geographic",)
    )
