from __future__ import annotations

import pytest
from segserver_psychographic import STRATEGY, PsychographicSettings

from segserver.errors import InvalidInput
from segserver.strategies.contract import problems, resolve


def test_the_strategy_keeps_the_contract():
    assert problems(STRATEGY) == []
    assert all(attribute.title for attribute in STRATEGY.attributes)
    resolved = resolve(STRATEGY)
    assert all(trait.title for trait in resolved.traits)
    assert all(segment.title and segment.owner for segment in resolved.segments)


def test_settings_survive_json():
    settings = PsychographicSettings()
    assert PsychographicSettings.model_validate(settings.model_dump(mode="json")) == settings


def test_personas_and_milieus_of_the_settings_become_traits_and_segments(oracle):
    changed = oracle(
        STRATEGY,
        personas={"night-owl": {"interests": ["clubbing"], "minimum_matches": 1}},
        milieus=[{"label": "curious", "rule": "psychographic.openness_z > 1.0"}, {"label": "rest"}],
    )
    found = changed.evaluate({"interests": ["Clubbing"], "openness": 5.9})
    assert found["psychographic/night-owl"] is True
    assert found["psychographic.milieu"] == "curious"
    assert changed.evaluate({"openness": 3.0})["psychographic.milieu"] == "other"
    assert "psychographic/eco-conscious" not in found


@pytest.mark.parametrize(
    ("settings", "field", "message"),
    [
        ({"norms": {"openness": {"mean": 3, "sd": 1}}}, "norms", "missing for conscientiousness"),
        (
            {"norms": {"openness": {"mean": 3, "sd": 0}}},
            "norms.openness.sd",
            "greater than 0",
        ),
        ({"personas": {"idle": {}}}, "personas.idle", "a persona needs"),
        (
            {"personas": {"eager": {"interests": ["art"], "minimum_matches": 2}}},
            "personas.eager",
            "minimum_matches is 2, of 1",
        ),
        ({"personas": {"milieu": {"lifestyles": ["urban"]}}}, "personas", "can't be called"),
        ({"milieus": [{"label": "a"}, {"label": "b", "spellings": ["A"]}]}, "milieus", "it is taken"),
        ({"interests": {"a": ["x"], "b": ["X"]}}, "interests", "listed under both"),
    ],
)
def test_wrong_settings_are_named(settings, field, message):
    with pytest.raises(InvalidInput) as caught:
        resolve(STRATEGY, settings)
    assert [v.field for v in caught.value.violations] == [field]
    assert message in caught.value.violations[0].description
