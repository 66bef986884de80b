"""The traits and segments of the tech strategy, for one subject and for a table."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segserver_tech import STRATEGY
from segserver_tech.attributes import DEPLOYMENTS
from segserver_tech.vocabulary import DEVICE_TYPES
from strategy_program import StrategyProgram

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.0 Mobile/15E148 Safari/604.1"
)
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:121.0) Gecko/20100101 Firefox/121.0"
LINUX = "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


WITHHELD = [set(), {"user_agent"}, {"device_type", "software_tools", "technical_proficiency"}]


@pytest.fixture(scope="module")
def program():
    return StrategyProgram(STRATEGY)


def told(program, attributes, *names):
    found = program.one(attributes)
    assert program.table([attributes]) == [found]
    return tuple(found.get(f"tech.{name}") for name in names)


@pytest.mark.parametrize(
    ("attributes", "machine"),
    [
        ({}, (None, None, None, None)),
        ({"user_agent": IPHONE}, ("phone", "ios", "safari", "neither")),
        ({"user_agent": MAC}, ("desktop", "macos", "firefox", "mac")),
        ({"user_agent": LINUX}, ("desktop", "linux", "firefox", "pc")),
        ({"user_agent": CRAWLER}, ("bot", None, "other", "neither")),
        ({"user_agent": MAC, "device_type": "tv"}, ("tv", "macos", "firefox", "neither")),
        ({"user_agent": MAC, "operating_system": " WINDOWS 11 "}, ("desktop", "windows", "firefox", "pc")),
        (
            {"operating_system": "Plan 9", "browser": "MSIE"},
            (None, "other", "internet-explorer", "neither"),
        ),
        ({"user_agent": "?"}, (None, None, None, None)),
    ],
)
def test_what_is_stated_wins_over_the_header(program, attributes, machine):
    assert told(program, attributes, "device_type", "operating_system", "browser", "mac_or_pc") == machine


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, None),
        ({"installed_apps": []}, False),
        ({"installed_apps": [" my APP "]}, True),
        ({"installed_apps": ["Another"]}, False),
        ({"installed_apps": ["My App"], "app_installed": False}, False),
        ({"app_installed": True}, True),
    ],
)
def test_our_app(attributes, expected):
    program = StrategyProgram(STRATEGY, own_apps=["My App"])
    assert told(program, attributes, "app_installed") == (expected,)
    found = program.one(attributes)
    assert (found.get("tech/app-installed"), found.get("tech/app-not-installed")) == (
        expected,
        None if expected is None else not expected,
    )


def test_without_a_list_every_listed_app_is_ours(program):
    assert told(program, {"installed_apps": ["Another"]}, "app_installed") == (True,)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, None),
        ({"software_tools": []}, "neither"),
        ({"software_tools": ["Figma"]}, "cloud"),
        ({"software_tools": ["AutoCAD", "abacus"]}, "installed"),
        ({"software_tools": ["AutoCAD", "Slack"]}, "both"),
        ({"software_tools": ["AutoCAD"], "tool_deployment": "cloud"}, "cloud"),
    ],
)
def test_where_the_tools_run(program, attributes, expected):
    assert told(program, attributes, "cloud_or_installed") == (expected,)


@pytest.mark.parametrize(
    ("attributes", "score", "level"),
    [
        ({}, None, None),
        ({"user_agent": IPHONE}, 0, "standard"),
        ({"user_agent": LINUX}, 2, "advanced"),
        ({"user_agent": LINUX, "software_tools": ["Git", "docker"]}, 4, "expert"),
        ({"software_tools": ["GitHub"]}, 1, "standard"),
        ({"software_tools": []}, 0, "standard"),
        ({"technical_proficiency": "Novice"}, None, "novice"),
        ({"technical_proficiency": "guru", "user_agent": LINUX}, 2, "other"),
    ],
)
def test_proficiency(program, attributes, score, level):
    assert told(program, attributes, "proficiency_score", "technical_proficiency") == (score, level)


def test_what_is_withheld_is_not_replaced_by_the_header(program):
    """Else the answer would show whether something is stated."""
    attributes = {"user_agent": MAC, "device_type": "tv", "operating_system": "windows"}
    found = program.one(attributes, withheld={"device_type", "operating_system"})
    assert program.table([attributes], withheld={"device_type", "operating_system"}) == [found]
    assert not {"tech.device_type", "tech.operating_system"} & set(found)
    assert found["tech.ua_device_type"] == "desktop"


SUBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "user_agent": st.sampled_from([IPHONE, MAC, LINUX, CRAWLER, "", "curl/8"]) | st.text(max_size=30),
        "device_type": st.sampled_from(DEVICE_TYPES),
        "operating_system": st.sampled_from(["macOS", " linux", "Plan 9"]),
        "browser": st.sampled_from(["Lynx", "chrome", "?"]),
        "app_installed": st.booleans(),
        "installed_apps": st.lists(st.sampled_from(["ours", "theirs"]), max_size=2),
        "software_tools": st.lists(st.sampled_from(["Git", "Excel", "Slack", "abacus"]), max_size=3),
        "tool_deployment": st.sampled_from(DEPLOYMENTS),
        "technical_proficiency": st.sampled_from(["novice", "Expert", "guru"]),
    },
)


@settings(max_examples=25)
@given(st.lists(SUBJECTS, max_size=8), st.sampled_from(WITHHELD))
def test_a_table_answers_as_each_subject_alone(program, subjects, withheld):
    found = [program.one(subject, withheld) for subject in subjects]
    assert program.table(subjects, withheld) == found
    for each in found:
        for name, values in program.values.items():
            assert not values or each.get(name, values[0]) in values
