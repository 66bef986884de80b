from __future__ import annotations

import pytest
from segserver_demographic import STRATEGY, DemographicSettings

from segserver.errors import InvalidInput
from segserver.strategies.contract import problems, resolve


def test_the_strategy_keeps_the_contract():
    assert problems(STRATEGY) == []
    assert all(attribute.title for attribute in STRATEGY.attributes)
    resolved = resolve(STRATEGY)
    assert all(trait.title for trait in resolved.traits)
    assert all(segment.title and segment.owner for segment in resolved.segments)


def test_settings_survive_json():
    settings = DemographicSettings()
    assert DemographicSettings.model_validate(settings.model_dump(mode="json")) == settings


def test_bands_of_the_settings_become_traits_and_segments(oracle):
    bands = [{"label": "small", "below": 1000}, {"label": "big"}]
    changed = oracle(STRATEGY, income_bands=bands, marital_statuses={"partnered": ["married", "together"]})
    found = changed.evaluate({"income": 999.5, "marital_status": "Together"})
    assert found["demographic.income_band"] == "small"
    assert found["demographic/income-small"] is True
    assert found["demographic/income-big"] is False
    assert found["demographic.marital_status"] == "partnered"


@pytest.mark.parametrize(
    ("settings", "field", "message"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone", "not a time zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone", "not a time zone"),
        ({"currency": "euro"}, "currency", "pattern"),
        ({"age_bands": [{"label": "a", "below": 9}]}, "age_bands", "every band but the last"),
        ({"generations": []}, "generations", "at least one"),
        (
            {"generations": [{"label": "a", "first_year": 1, "last_year": 2}] * 2},
            "generations",
            "does not begin in the year after",
        ),
        (
            {"generations": [{"label": "a", "first_year": 3, "last_year": 2}]},
            "generations.0",
            "before it begins",
        ),
        ({"education_labels": {"wizardry": []}}, "education_labels", "unknown wizardry"),
        ({"occupation_labels": {"wizards": []}}, "occupation_labels", "unknown wizards"),
        ({"genders": {"other": []}}, "genders", "can't be listed"),
        ({"oldest_age": 20}, "oldest_age", "greater than"),
        ({"colour": "red"}, "colour", "unknown setting"),
    ],
)
def test_wrong_settings_are_named(settings, field, message):
    with pytest.raises(InvalidInput) as caught:
        resolve(STRATEGY, settings)
    assert [v.field for v in caught.value.violations] == [field]
    assert message in caught.value.violations[0].description
