from __future__ import annotations

import pytest
from segserver_needs import STRATEGY, NeedsSettings

from segserver.errors import InvalidInput
from segserver.strategies.contract import problems, resolve


def test_the_strategy_keeps_the_contract():
    assert problems(STRATEGY) == []
    assert all(attribute.title for attribute in STRATEGY.attributes)
    resolved = resolve(STRATEGY)
    assert all(trait.title for trait in resolved.traits)
    assert all(segment.title and segment.owner for segment in resolved.segments)


def test_settings_survive_json():
    settings = NeedsSettings()
    assert NeedsSettings.model_validate(settings.model_dump(mode="json")) == settings


def test_industries_of_the_settings_become_traits_and_segments(oracle):
    needs = oracle(STRATEGY, industries=[{"label": "it", "divisions": [62, 63], "spellings": ["saas"]}])
    assert needs.evaluate({"industry_code": "6311"})["needs/industry-it"] is True
    assert needs.evaluate({"industry": "SaaS"})["needs.industry"] == "it"
    assert needs.evaluate({"industry_code": "6400"})["needs.industry"] == "other"


@pytest.mark.parametrize(
    ("settings", "field", "message"),
    [
        ({"themes": {"idle": {}}}, "themes.idle", "minimum_matches is 1, of 0"),
        ({"themes": {"role": {"benefits": ["speed"]}}}, "themes", "can't be called"),
        ({"industries": [{"label": "a", "divisions": [5, 3]}]}, "industries.0.divisions", "divisions are"),
        (
            {"industries": [{"label": "a", "divisions": [1, 5]}, {"label": "b", "divisions": [5, 9]}]},
            "industries",
            "overlap",
        ),
        ({"industries": [{"label": "a"}, {"label": "b", "spellings": ["A"]}]}, "industries", "it is taken"),
        ({"roles": {"other": []}}, "roles", "can't be listed"),
    ],
)
def test_wrong_settings_are_named(settings, field, message):
    with pytest.raises(InvalidInput) as caught:
        resolve(STRATEGY, settings)
    assert [v.field for v in caught.value.violations] == [field]
    assert message in caught.value.violations[0].description
