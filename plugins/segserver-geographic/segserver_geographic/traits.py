"""The traits of the geographic strategy: code asks the reference data, CEL does the rest."""

from collections.abc import Callable
from functools import partial

from segserver.model import TypeName, Value
from segserver.strategies.api import Trait
from segserver.strategies.cel import band, choose, fold, folded, labels_of, literal
from segserver_geographic import cities, climate, countries, languages, subdivisions
from segserver_geographic.regions import REGIONS, SUBREGIONS
from segserver_geographic.settings import GeographicSettings, Market

EXAMPLES = {"country": "DE", "subdivision": "DE-BE", "city": "Berlin", "preferred_language": "de-DE"}
"""What the code is tried on before it serves."""

ELSEWHERE = "elsewhere"
"""The local market of a customer whom no market holds."""


def traits(settings: GeographicSettings) -> list[Trait]:
    """The traits under these settings."""
    return [
        *_country(settings),
        *_city(settings),
        *_climate(),
        *_language(settings),
        _market(settings),
    ]


def _country(settings: GeographicSettings) -> list[Trait]:
    subdivision = choose(
        [("known(geographic.subdivision_code)", "geographic.subdivision_code")],
        "geographic.subdivision_in_country",
    )
    region, part = partial(countries.world_region, settings), partial(countries.subregion, settings)
    in_country = partial(subdivisions.in_country, settings)
    named, whole_code = "Subdivision, by its name in the country", "Subdivision, stated as a whole code"
    return [
        _code("country", "Country (ISO 3166-1 alpha-2)", ["country"], partial(countries.code, settings)),
        _code("world_region", "Region (UN M49)", ["country"], region, values=REGIONS),
        _code("subregion", "Sub-region (UN M49)", ["country"], part, values=tuple(SUBREGIONS)),
        _code("subdivision_code", whole_code, ["subdivision"], subdivisions.from_code),
        _code("subdivision_in_country", named, ["country", "subdivision"], in_country),
        Trait("subdivision", "string", "Subdivision (ISO 3166-2)", rule=subdivision),
    ]


def _city(settings: GeographicSettings) -> list[Trait]:
    where = ["country", "city"]
    return [
        _code(
            "city_in_country",
            "City, as GeoNames names it",
            ["country", "city"],
            partial(cities.name, settings),
        ),
        _code(
            "population_of_city",
            "Inhabitants of the city, by GeoNames",
            where,
            partial(cities.population, settings),
            type_name="int",
        ),
        Trait(
            "city",
            "string",
            "City: as GeoNames names it, else as stated",
            rule="known(geographic.city_in_country) ? geographic.city_in_country : city.trim()",
        ),
        Trait(
            "city_population",
            "int",
            "Inhabitants of the city: as stated, else by GeoNames",
            rule="known(city_population) ? city_population : geographic.population_of_city",
        ),
        Trait(
            "city_size_band",
            "string",
            "Size of the city",
            rule=band("geographic.city_population", settings.city_size_bands, integer=True),
            values=labels_of(settings.city_size_bands),
        ),
    ]


def _climate() -> list[Trait]:
    main = list(climate.MAIN_CLASSES.items())
    cases = [
        (f"geographic.climate_class.startsWith({literal(letter)})", literal(label))
        for letter, label in main[:-1]
    ]
    return [
        Trait(
            "climate_class",
            "string",
            "Climate (class of Köppen and Geiger)",
            reads=("latitude", "longitude"),
            function=climate.climate_class,
            vectorized=climate.climate_classes,
            values=climate.CLASSES,
            example=(52.52, 13.405),
        ),
        Trait(
            "climate_zone",
            "string",
            "Climate zone (main class of Köppen and Geiger)",
            rule=choose(cases, literal(main[-1][1])),
            values=tuple(climate.MAIN_CLASSES.values()),
        ),
    ]


def _language(settings: GeographicSettings) -> list[Trait]:
    stated = "geographic.stated_language"
    preferred = stated
    likely = partial(languages.of_country, settings)
    if settings.language_from_country:
        preferred = f"known({stated}) ? {stated} : geographic.language_of_country"
    return [
        _code(
            "stated_language", "Preferred language, as stated", ["preferred_language"], languages.canonical
        ),
        _code("language_of_country", "Language most used in the country", ["country"], likely),
        Trait("preferred_language", "string", "Preferred language (BCP 47)", rule=preferred),
        Trait(
            "language",
            "string",
            "Preferred language without script and country (ISO 639)",
            rule='geographic.preferred_language.split("-")[0]',
        ),
    ]


def _market(settings: GeographicSettings) -> Trait:
    cases = [(in_market(market), literal(market.label)) for market in settings.markets]
    return Trait(
        "local_market",
        "string",
        "Local market",
        rule=choose(cases, literal(ELSEWHERE)),
        values=(*(market.label for market in settings.markets), ELSEWHERE),
    )


def in_market(market: Market) -> str:
    """CEL for whether the customer is in this market."""
    tests = []
    if market.countries:
        tests.append(f"geographic.country in {literal(market.countries)}")
    if market.subdivisions:
        tests.append(f"geographic.subdivision in {literal(market.subdivisions)}")
    for country in sorted({place.country for place in market.cities}):
        names = literal([folded(place.city) for place in market.cities if place.country == country])
        named = " || ".join(f"{fold(text)} in {names}" for text in ("city", "geographic.city"))
        tests.append(f"geographic.country == {literal(country)} && ({named})")
    for circle in market.circles:
        point = f"{literal(circle.latitude)}, {literal(circle.longitude)}"
        tests.append(f"distance_km(latitude, longitude, {point}) <= {literal(circle.radius_km)}")
    return f"({' || '.join(tests)})"


def _code(
    name: str,
    title: str,
    reads: list[str],
    function: Callable[..., Value | None],
    *,
    values: tuple[str, ...] = (),
    type_name: TypeName = "string",
) -> Trait:
    example = tuple(EXAMPLES[read] for read in reads)
    return Trait(name, type_name, title, reads=reads, function=function, values=values, example=example)
