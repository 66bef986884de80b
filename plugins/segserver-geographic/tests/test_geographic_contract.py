"""The geographic strategy keeps the plugin contract; its rules are sound under any settings it accepts."""

import pytest
from segserver_geographic import STRATEGY, GeographicSettings, countries

from segserver.errors import InvalidInput
from segserver.model import Category
from segserver.rules import Environment
from segserver.strategies import contract, manager

MANY = {
    "country_names": {"DE": ["Allemagne"]},
    "language_from_country": True,
    "languages": ["en"],
    "home_country": "AT",
    "markets": [
        {
            "label": "vienna",
            "subdivisions": ["AT-9"],
            "cities": [{"country": "AT", "city": 'Wien "\\'}, {"country": "SK", "city": "Bratislava"}],
            "circles": [{"latitude": 48, "longitude": 16.4, "radius_km": 60}],
        }
    ],
}


def test_the_plugin_is_found_and_sound():
    installed = manager.load()
    assert not [entry for entry in installed.quarantined if entry.origin.plugin == "geographic"]
    assert installed.strategy("geographic").origin.distribution == "segserver-geographic"


@pytest.mark.parametrize("settings", [{}, MANY, {"markets": []}], ids=["default", "many", "no markets"])
def test_every_rule_has_the_type_that_it_claims(settings):
    resolved = contract.resolve(STRATEGY, settings)
    variables = {attribute.name: attribute.type for attribute in STRATEGY.attributes}
    variables |= {f"geographic.{trait.name}": trait.type for trait in resolved.traits}
    environment = Environment(variables)
    for trait in resolved.traits:
        if trait.rule:
            environment.check(trait.rule, trait.type)
    for segment in resolved.segments:
        environment.check(segment.rule, "bool")


def test_everything_is_titled_and_categorized():
    resolved = contract.resolve(STRATEGY, MANY)
    assert all(noun.title for noun in (*STRATEGY.attributes, *resolved.traits, *resolved.segments))
    categories = {attribute.name: attribute.category for attribute in STRATEGY.attributes}
    assert categories.pop("preferred_language") is Category.DEMOGRAPHIC
    assert set(categories.values()) == {Category.LOCATION}


def test_the_default_settings_name_no_code_that_iso_does_not_assign():
    assert all(countries.exists(code) for code in GeographicSettings().country_codes())


def test_home_and_abroad_need_a_home():
    names = {segment.id for segment in contract.resolve(STRATEGY, MANY).segments}
    assert {"geographic/home", "geographic/abroad", "geographic/market-vienna"} <= names
    assert "geographic/home" not in {segment.id for segment in contract.resolve(STRATEGY).segments}


@pytest.mark.parametrize("settings", [{}, MANY], ids=["default", "many"])
def test_settings_survive_json(settings):
    parsed = GeographicSettings.model_validate(settings)
    assert GeographicSettings.model_validate(parsed.model_dump(mode="json")) == parsed


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"markets": [{"label": "nowhere"}]}, "markets.0"),
        ({"markets": [{"label": "a", "countries": ["Austria"]}]}, "markets.0.countries.0"),
        ({"markets": [{"label": "a", "subdivisions": ["Vienna"]}]}, "markets.0.subdivisions.0"),
        (
            {"markets": [{"label": "a", "circles": [{"latitude": 91, "longitude": 0, "radius_km": 1}]}]},
            "markets.0.circles.0.latitude",
        ),
        ({"markets": [{"label": "a", "countries": ["AT"]}, {"label": "a", "countries": ["DE"]}]}, ""),
        ({"home_country": "at"}, "home_country"),
        ({"country_names": {"DE": ["x"], "AT": ["X"]}}, "country_names"),
        ({"country_names": {"DE": ["..."]}}, "country_names"),
        ({"city_size_bands": [{"label": "a"}, {"label": "b"}]}, "city_size_bands"),
        ({"languages": ["German"]}, "languages.0"),
        ({"country_subregions": {"CY": "balkans"}}, "country_subregions.CY"),
        ({"home_country": "XX"}, ""),
        ({"markets": [{"label": "a", "subdivisions": ["AT-99"]}]}, ""),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, field):
    with pytest.raises(InvalidInput) as caught:
        contract.resolve(STRATEGY, settings)
    assert field in [violation.field for violation in caught.value.violations]
