"""The traits and segments of the geographic strategy, for one subject and for a table."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segserver_geographic import STRATEGY
from strategy_program import StrategyProgram

MARKETS = [
    {
        "label": "vienna",
        "subdivisions": ["AT-9"],
        "cities": [{"country": "SK", "city": "bratislava"}, {"country": "DE", "city": "München"}],
        "circles": [{"latitude": 48.208, "longitude": 16.373, "radius_km": 40}],
    },
    {"label": "danube", "countries": ["AT", "SK", "HU"]},
]


BUDAPEST = {"subdivision": "HU-BU", "city": "Budapest", "latitude": 47.5, "longitude": 19.0}

WITHHELD = [set(), {"country"}, {"city", "latitude", "preferred_language"}]


@pytest.fixture(scope="module")
def program():
    return StrategyProgram(STRATEGY)


@pytest.fixture(scope="module")
def local():
    return StrategyProgram(STRATEGY, markets=MARKETS, language_from_country=True, home_country="AT")


def told(program, attributes, *names):
    found = program.one(attributes)
    assert program.table([attributes]) == [found]
    return tuple(found.get(f"geographic.{name}") for name in names)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, (None, None, None)),
        ({"country": "EIRE"}, ("IE", "europe", "northern-europe")),
        ({"country": "japan"}, ("JP", "asia", "eastern-asia")),
        ({"country": "Antarctica"}, ("AQ", None, None)),
        ({"country": "Unspecified"}, (None, None, None)),
    ],
)
def test_country_and_region(program, attributes, expected):
    assert told(program, attributes, "country", "world_region", "subregion") == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"subdivision": "us-ca"}, "US-CA"),
        ({"subdivision": "US-CA", "country": "DE"}, "US-CA"),
        ({"subdivision": "Bayern", "country": "Germany"}, "DE-BY"),
        ({"subdivision": "Bayern"}, None),
        ({"country": "Germany"}, None),
    ],
)
def test_subdivision(program, attributes, expected):
    assert told(program, attributes, "subdivision") == (expected,)


@pytest.mark.parametrize(
    ("attributes", "city", "size"),
    [
        ({"city": " Graz ", "country": "AT"}, "Graz", "medium-city"),
        ({"city": "COLOGNE", "country": "DE"}, "Köln", "metropolis"),
        ({"city": "Berlin", "country": "DE"}, "Berlin", "large-metropolis"),
        ({"city": " Hamlet ", "country": "DE"}, "Hamlet", None),
        ({"city": "Berlin"}, "Berlin", None),
        ({"city": "Berlin", "country": "DE", "city_population": 4_999}, "Berlin", "rural"),
        ({"city_population": 5_000}, None, "town"),
    ],
)
def test_city_and_its_size(program, attributes, city, size):
    assert told(program, attributes, "city", "city_size_band") == (city, size)


@pytest.mark.parametrize(
    ("latitude", "longitude", "zone"),
    [
        (1.35, 103.82, "tropical"),
        (30.05, 31.24, "dry"),
        (51.51, -0.13, "temperate"),
        (55.75, 37.62, "continental"),
        (-80.0, 0.0, "polar"),
        (0.0, -30.0, None),
    ],
)
def test_climate_zone(program, latitude, longitude, zone):
    assert told(program, {"latitude": latitude, "longitude": longitude}, "climate_zone") == (zone,)


def test_language(program, local):
    swiss = {"country": "Switzerland"}
    assert told(program, swiss, "preferred_language", "language") == (None, None)
    assert told(local, swiss, "preferred_language", "language") == ("de-CH", "de")
    for each in (program, local):
        stated = {**swiss, "preferred_language": "FR_ch"}
        assert told(each, stated, "preferred_language", "language") == ("fr-CH", "fr")


def test_a_withheld_language_is_not_guessed(local):
    attributes = {"country": "CH", "preferred_language": "fr"}
    found = local.one(attributes, withheld={"preferred_language"})
    assert local.table([attributes], withheld={"preferred_language"}) == [found]
    assert "geographic.preferred_language" not in found


@pytest.mark.parametrize(
    ("attributes", "market"),
    [
        ({"subdivision": "AT-9"}, "vienna"),
        ({"country": "SK", "city": "Bratislava"}, "vienna"),
        ({"country": "DE", "city": "Munich"}, None),
        ({"country": "DE", "city": "MÜNCHEN"}, None),
        ({"country": "DE", "city": "München"}, "vienna"),
        ({"latitude": 48.3, "longitude": 16.4}, "vienna"),
        ({"country": "HU", **BUDAPEST}, "danube"),
        ({"country": "FR", **BUDAPEST}, "elsewhere"),
        ({"country": "HU"}, None),
        ({}, None),
    ],
)
def test_local_market(local, attributes, market):
    assert told(local, attributes, "local_market") == (market,)


def test_the_segment_of_a_market_asks_about_that_market_alone(local):
    found = local.one({"country": "HU"})
    assert found["geographic/market-danube"] is True
    assert "geographic/market-vienna" not in found
    assert (found["geographic/home"], found["geographic/abroad"]) == (False, True)


SUBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "country": st.sampled_from(["AT", "germany", "Atlantis", ""]),
        "subdivision": st.sampled_from(["AT-9", "9", "Bayern", ""]),
        "city": st.sampled_from(["Wien", "münchen", "Bratislava", "", "Hamlet"]),
        "city_population": st.integers(-1, 2_000_000),
        "latitude": st.floats(-90.5, 90.5),
        "longitude": st.floats(-180.5, 180.5),
        "preferred_language": st.sampled_from(["de", "EN_us", "German"]),
    },
)


@settings(max_examples=25)
@given(st.lists(SUBJECTS, max_size=8), st.sampled_from(WITHHELD))
def test_a_table_answers_as_each_subject_alone(local, subjects, withheld):
    found = [local.one(subject, withheld) for subject in subjects]
    assert local.table(subjects, withheld) == found
    for each in found:
        for name, values in local.values.items():
            assert not values or each.get(name, values[0]) in values
