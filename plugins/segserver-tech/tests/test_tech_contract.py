"""The tech strategy keeps the plugin contract, and its rules are sound under any settings that it accepts."""

import pytest
from segserver_tech import STRATEGY, TechSettings

from segserver.errors import InvalidInput
from segserver.model import Category
from segserver.rules import Environment
from segserver.strategies import contract, manager

CATEGORIES = {"user_agent": Category.TECHNICAL, "software_tools": Category.BEHAVIORAL}

NARROW = {
    "own_apps": ["My App"],
    "cloud_tools": [],
    "installed_tools": [],
    "signals": [],
    "savvy_levels": [],
    "legacy_browsers": [],
    "mac_systems": [],
    "operating_systems": {"windows": [], "linux": ['a "quoted" \\ name', "é\n"]},
    "pc_systems": ["windows"],
}


def test_the_plugin_is_found_and_sound():
    installed = manager.load()
    assert not [entry for entry in installed.quarantined if entry.origin.plugin == "tech"]
    assert installed.strategy("tech").origin.distribution == "segserver-tech"


@pytest.mark.parametrize("settings", [{}, NARROW], ids=["default", "narrow"])
def test_every_rule_has_the_type_that_it_claims(settings):
    resolved = contract.resolve(STRATEGY, settings)
    variables = {attribute.name: attribute.type for attribute in STRATEGY.attributes}
    variables |= {f"tech.{trait.name}": trait.type for trait in resolved.traits}
    environment = Environment(variables)
    for trait in resolved.traits:
        if trait.rule:
            environment.check(trait.rule, trait.type)
    for segment in resolved.segments:
        environment.check(segment.rule, "bool")


def test_everything_is_titled_and_categorized():
    resolved = contract.resolve(STRATEGY)
    assert all(noun.title for noun in (*STRATEGY.attributes, *resolved.traits, *resolved.segments))
    categories = {attribute.name: attribute.category for attribute in STRATEGY.attributes}
    assert categories | CATEGORIES == categories


def test_segments_compare_with_values_that_the_traits_can_take():
    resolved = contract.resolve(STRATEGY)
    values = {trait.name: trait.values for trait in resolved.traits}
    for segment in resolved.segments:
        trait, compared, value = segment.rule.partition(" == ")
        if compared:
            assert value.strip('"') in values[trait.removeprefix("tech.")]


def test_settings_survive_json():
    settings = TechSettings()
    assert TechSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"user_agent_length_max": 1}, "user_agent_length_max"),
        ({"device_rules": [{"device_type": "phone"}]}, "device_rules.0"),
        ({"device_rules": [{"device_type": "fridge", "tokens": ["x"]}]}, "device_rules.0.device_type"),
        ({"device_rules": [{"device_type": "phone", "tokens": [" "]}]}, "device_rules.0.tokens"),
        ({"system_tokens": [{"text": "", "name": "x"}]}, "system_tokens.0.text"),
        ({"browsers": {"a": ["x"], "b": ["X "]}}, "browsers"),
        ({"mac_systems": ["windows"]}, ""),
        ({"savvy_levels": ["wizard"]}, ""),
        ({"colour": "red"}, "colour"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, field):
    with pytest.raises(InvalidInput) as caught:
        contract.resolve(STRATEGY, settings)
    assert field in [violation.field for violation in caught.value.violations]
