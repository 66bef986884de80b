"""Every list and band of the geographic strategy; a catalog may override each."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from segserver.strategies.api import Settings
from segserver.strategies.cel import Band, Bands, Label
from segserver_geographic.reference import key
from segserver_geographic.regions import is_subregion

CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""An alpha-2 code of ISO 3166-1."""

SubdivisionCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")]
"""A code of ISO 3166-2."""

LanguageSubtag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
"""The first subtag of a BCP 47 tag: ISO 639."""


def _keys(table: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    owner: dict[str, str] = {}
    result = {code: tuple(dict.fromkeys(key(name) for name in names)) for code, names in table.items()}
    for code, names in result.items():
        for name in names:
            if not name:
                raise ValueError(f"an empty name is listed under {code}")
            if owner.setdefault(name, code) != code:
                raise ValueError(f"{name!r} is listed under both {owner[name]} and {code}")
    return result


class Place(Settings):
    """A city in a country."""

    country: CountryCode
    city: Annotated[str, Field(min_length=1)]


class Circle(Settings):
    """Everything within ``radius_km`` of a point (degrees, WGS 84)."""

    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    radius_km: float = Field(gt=0, le=20_040)


class Market(Settings):
    """A market: the union of countries, subdivisions, cities and circles."""

    label: Label
    title: str = ""
    countries: tuple[CountryCode, ...] = ()
    subdivisions: tuple[SubdivisionCode, ...] = ()
    cities: tuple[Place, ...] = ()
    circles: tuple[Circle, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> "Market":
        if not (self.countries or self.subdivisions or self.cities or self.circles):
            raise ValueError("give countries, subdivisions, cities or circles: the market would be empty")
        return self


MARKETS = (
    Market(label="dach", title="Germany, Austria, Switzerland", countries=("DE", "AT", "CH")),
    Market(label="benelux", title="Benelux", countries=("BE", "NL", "LU")),
    Market(label="nordics", title="Nordic countries", countries=("DK", "FI", "IS", "NO", "SE")),
    Market(label="uk-and-ireland", title="United Kingdom and Ireland", countries=("GB", "IE")),
    Market(label="iberia", title="Spain and Portugal", countries=("ES", "PT")),
    Market(label="us-and-canada", title="United States and Canada", countries=("US", "CA")),
    Market(label="anz", title="Australia and New Zealand", countries=("AU", "NZ")),
)

COUNTRY_NAMES: dict[str, tuple[str, ...]] = {
    "AE": ("uae", "emirates"),
    "CZ": ("czech republic",),
    "GB": ("uk", "great britain", "england", "scotland", "wales", "northern ireland"),
    "GR": ("el",),
    "IE": ("eire",),
    "KR": ("korea", "south korea"),
    "NL": ("holland",),
    "US": ("usa", "america", "united states", "u.s.", "u.s.a."),
    "ZA": ("rsa",),
}


COUNTRY_SUBREGIONS = {
    "HM": "australia-and-new-zealand",
    "ME": "southern-europe",
    "RS": "southern-europe",
}
"""Where the reference data differ from the UN's publication."""


class GeographicSettings(Settings):
    """The settings of the geographic strategy."""

    country_names: Annotated[dict[CountryCode, tuple[str, ...]], AfterValidator(_keys)] = Field(
        default=COUNTRY_NAMES, validate_default=True
    )
    """Country → what it is called beyond its codes and names; this comes before the reference data."""

    country_subregions: dict[CountryCode, Annotated[str, AfterValidator(is_subregion)]] = Field(
        default=COUNTRY_SUBREGIONS, validate_default=True
    )
    """Country → sub-region of UN M49; this comes before the reference data."""

    city_size_bands: Bands = (
        Band(label="rural", below=5_000),
        Band(label="town", below=50_000),
        Band(label="small-city", below=200_000),
        Band(label="medium-city", below=500_000),
        Band(label="metropolis", below=1_500_000),
        Band(label="large-metropolis"),
    )
    """Bands of inhabitants. From 50,000 on they are those of the OECD's urban areas."""

    language_from_country: bool = False
    """Whether somebody who states no language is taken to prefer the one most used in the country."""

    languages: tuple[LanguageSubtag, ...] = ("en", "de", "fr", "es", "it", "nl", "pt", "pl", "ja", "zh", "ar")
    """Languages that have a ready-made segment."""

    home_country: CountryCode | None = None
    """Our own country; with it, there are segments for customers at home and abroad."""

    markets: tuple[Market, ...] = MARKETS
    """``local_market`` is the first that holds the customer."""

    @model_validator(mode="after")
    def _labels_differ(self) -> "GeographicSettings":
        labels = [market.label for market in self.markets]
        if len(set(labels)) < len(labels):
            raise ValueError("two markets have one label")
        return self

    def country_codes(self) -> set[str]:
        """Every country that the settings name."""
        found = {
            *self.country_names,
            *self.country_subregions,
            *([self.home_country] if self.home_country else []),
        }
        for market in self.markets:
            found |= {*market.countries, *(place.country for place in market.cities)}
            found |= {code.partition("-")[0] for code in market.subdivisions}
        return found
