from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segserver_needs import STRATEGY
from segserver_needs.isic import SECTIONS


@pytest.fixture(scope="module")
def needs(oracle):
    return oracle(STRATEGY)


def test_needs_take_the_lists_names(needs):
    found = needs.evaluate({"pain_points": ["Too expensive", "noise"], "benefits_sought": ["DEALS", "taste"]})
    assert found["needs.pain_points"] == ["price", "noise"]
    assert found["needs.benefits"] == ["low-price", "pleasure"]


@pytest.mark.parametrize(
    ("theme", "profile", "expected"),
    [
        ("price-sensitive", {"pain_points": ["price"]}, True),
        ("price-sensitive", {"benefits_sought": ["savings"]}, True),
        ("price-sensitive", {"pain_points": ["noise"]}, None),
        ("price-sensitive", {"pain_points": ["noise"], "benefits_sought": []}, False),
        ("convenience-seeker", {"pain_points": ["no time"]}, True),
        ("status-seeker", {"benefits_sought": ["Prestige"]}, True),
    ],
)
def test_themes(needs, theme, profile, expected):
    assert needs.evaluate(profile).get(f"needs/{theme}") is expected


def test_a_theme_may_ask_for_several_needs(oracle):
    theme = {"pain_points": ["price"], "benefits": ["low-price"], "minimum_matches": 2}
    needs = oracle(STRATEGY, themes={"thrifty": theme})
    assert needs.evaluate({"pain_points": ["price"], "benefits_sought": ["deals"]})["needs.thrifty"] is True
    assert needs.evaluate({"pain_points": ["price", "cost"], "benefits_sought": []})["needs.thrifty"] is False
    assert "needs.thrifty" not in needs.evaluate({"pain_points": ["price"]})


@given(st.integers(0, 99), st.sampled_from(["", "1", "10"]))
def test_industry_by_code(needs, division, rest):
    found = needs.evaluate({"industry_code": f"{division:02}{rest}"})
    expected = [s.label for s in SECTIONS if s.divisions and s.divisions[0] <= division <= s.divisions[1]]
    assert [found["needs.industry"]] == (expected or ["other"])


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.section)
def test_industry_by_section_and_by_name(needs, section):
    assert needs.evaluate({"industry_code": f" {section.section.lower()}"})["needs.industry"] == section.label
    for text in section.spellings:
        assert needs.evaluate({"industry": text.title()})["needs.industry"] == section.label


@pytest.mark.parametrize("code", ["", "1", "X", "62.01", "620100", "-6", "6 2"])
def test_what_is_no_industry_code_is_other(needs, code):
    assert needs.evaluate({"industry_code": code, "industry": "software"})["needs.industry"] == "other"


@pytest.mark.parametrize(
    ("stated", "role"),
    [("CEO", "decider"), ("Purchasing manager", "buyer"), ("Secretary", "gatekeeper"), ("clown", "other")],
)
def test_roles(needs, stated, role):
    found = needs.evaluate({"job_role": stated})
    assert found["needs.role"] == role
    assert [n for n, v in found.items() if "/role-" in n and v] == (
        [] if role == "other" else [f"needs/role-{role}"]
    )


@pytest.mark.parametrize(("stated", "challenge"), [("Cutting costs", "cost"), ("dragons", "other")])
def test_challenges(needs, stated, challenge):
    assert needs.evaluate({"main_challenge": stated})["needs.main_challenge"] == challenge


def test_nothing_is_said_about_an_empty_profile(needs):
    assert needs.evaluate({}) == {}
