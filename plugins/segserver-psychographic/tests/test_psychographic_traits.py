from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segserver_psychographic import STRATEGY, PsychographicSettings
from segserver_psychographic.attributes import BIG_FIVE

SCORES = st.fixed_dictionaries({name: st.floats(1, 6) for name in BIG_FIVE})


@pytest.fixture(scope="module")
def psychographic(oracle):
    return oracle(STRATEGY)


def test_interests_take_the_lists_names_and_lose_sensitive_topics(psychographic):
    found = psychographic.evaluate({"interests": ["Hiking ", "Politics", "chess", "RELIGION", "cooking"]})
    assert found["psychographic.interests"] == ["outdoors", "chess", "food"]
    assert found["psychographic/interest-food"] is True
    assert found["psychographic/interest-wine"] is False


def test_values_take_the_lists_names(psychographic):
    found = psychographic.evaluate({"personal_values": ["Freedom", "faith", "justice", "thrift"]})
    assert found["psychographic.values"] == ["self-direction", "universalism", "thrift"]


@pytest.mark.parametrize(
    ("stated", "lifestyle"), [(" City", "urban"), ("minimalist", "minimalist"), ("vampire", "other")]
)
def test_lifestyle(psychographic, stated, lifestyle):
    found = psychographic.evaluate({"lifestyle": stated})
    assert found["psychographic.lifestyle"] == lifestyle
    members = [n for n, v in found.items() if n.startswith("psychographic/lifestyle-") and v]
    assert members == ([] if lifestyle == "other" else [f"psychographic/lifestyle-{lifestyle}"])


@given(SCORES)
def test_the_leading_trait_stands_out_most_or_nothing_does(psychographic, scores):
    norms = PsychographicSettings().norms
    z = {name: (score - norms[name].mean) / norms[name].sd for name, score in scores.items()}
    found = psychographic.evaluate(scores)
    assert {name: found[f"psychographic.{name}_z"] for name in BIG_FIVE} == pytest.approx(z)
    highest = max(BIG_FIVE, key=z.__getitem__)
    assert found["psychographic.leading_trait"] == (highest if z[highest] >= 0.5 else "balanced")


@given(SCORES, st.sampled_from(BIG_FIVE))
def test_without_one_score_no_trait_leads(psychographic, scores, missing):
    del scores[missing]
    assert "psychographic.leading_trait" not in psychographic.evaluate(scores)


def test_no_segment_lists_the_neurotic(psychographic):
    scores = dict.fromkeys(BIG_FIVE, 3.0) | {"neuroticism": 6.0}
    found = psychographic.evaluate(scores)
    assert found["psychographic.leading_trait"] == "neuroticism"
    assert not [n for n, v in found.items() if n.startswith("psychographic/personality-") and v]


@pytest.mark.parametrize(
    ("profile", "milieu"),
    [
        ({"milieu": "Progressive"}, "progressive"),
        ({"milieu": "bohemian"}, "other"),
        ({"education_level": 6, "personal_values": ["order", "freedom"]}, "established"),
        ({"education_level": 5, "personal_values": ["freedom"]}, "progressive"),
        ({"education_level": 4, "personal_values": ["customs"]}, "traditional"),
        ({"education_level": 3, "personal_values": ["fun"]}, "experience-seeking"),
        ({"education_level": 3, "personal_values": []}, "mainstream"),
        ({"education_level": 3}, None),
        ({}, None),
    ],
)
def test_milieus(psychographic, profile, milieu):
    found = psychographic.evaluate(profile)
    assert found.get("psychographic.milieu") == milieu


@pytest.mark.parametrize(
    ("persona", "profile", "expected"),
    [
        ("eco-conscious", {"interests": ["climate", "wildlife"], "personal_values": []}, True),
        ("eco-conscious", {"interests": ["climate", "wildlife"]}, True),
        (
            "eco-conscious",
            {"interests": ["climate", "ecology"], "personal_values": [], "lifestyle": ""},
            False,
        ),
        ("eco-conscious", {"interests": ["climate"], "personal_values": ["justice"]}, True),
        ("eco-conscious", {"interests": ["climate"]}, None),
        ("eco-conscious", {"lifestyle": "green"}, True),
        ("socially-responsible", {"interests": ["charity"], "personal_values": ["caring"]}, True),
        ("socially-responsible", {"interests": ["charity"], "personal_values": ["power"]}, False),
        ("adventure-seeker", {"interests": ["travel", "diving"]}, True),
        ("adventure-seeker", {"openness": 5.0, "extraversion": 4.5}, True),
        ("adventure-seeker", {"openness": 4.9, "interests": [], "personal_values": []}, False),
    ],
)
def test_personas(psychographic, persona, profile, expected):
    assert psychographic.evaluate(profile).get(f"psychographic/{persona}") is expected


def test_nothing_is_said_about_an_empty_profile(psychographic):
    assert psychographic.evaluate({}) == {}
