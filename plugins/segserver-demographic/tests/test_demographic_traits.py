from __future__ import annotations

import calendar
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segserver_demographic import STRATEGY
from segserver_demographic.standards import ISCED_2011, ISCO_08

DAYS = st.dates(dt.date(1890, 1, 1), dt.date(2060, 12, 31))


@pytest.fixture(scope="module")
def demographic(oracle):
    return oracle(STRATEGY)


@pytest.fixture(scope="module")
def leaping_in_february(oracle):
    return oracle(STRATEGY, leap_day_birthday="february-28")


def midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def birthdays(born: dt.date, today: dt.date, leap_day: tuple[int, int]) -> int:
    """Completed years, by counting birthdays one after another."""
    count = 0
    while True:
        year = born.year + count + 1
        is_leap_day = (born.month, born.day) == (2, 29) and not calendar.isleap(year)
        month, day = leap_day if is_leap_day else (born.month, born.day)
        if dt.date(year, month, day) > today:
            return count
        count += 1


@given(DAYS, DAYS)
def test_age_counts_birthdays(demographic, one, other):
    born, today = min(one, other), max(one, other)
    noon = midnight(today) + dt.timedelta(hours=12)
    found = demographic.evaluate({"birth_date": midnight(born)}, noon)
    assert found["demographic.age"] == birthdays(born, today, (3, 1))
    assert found["demographic.birthday_this_month"] == (born.month == today.month)
    assert found["demographic/adults"] == (found["demographic.age"] >= 18)


@pytest.mark.parametrize(
    ("born", "today", "march", "february"),
    [
        ("2004-02-29", "2025-02-27", 20, 20),
        ("2004-02-29", "2025-02-28", 20, 21),
        ("2004-02-29", "2025-03-01", 21, 21),
        ("2004-02-29", "2024-02-28", 19, 19),
        ("2004-02-29", "2024-02-29", 20, 20),
        ("2000-02-29", "2100-02-28", 99, 100),
        ("2004-02-28", "2025-02-28", 21, 21),
    ],
)
def test_leap_day(demographic, leaping_in_february, born, today, march, february):
    profile = {"birth_date": midnight(dt.date.fromisoformat(born))}
    now = midnight(dt.date.fromisoformat(today))
    assert demographic.evaluate(profile, now)["demographic.age"] == march
    assert leaping_in_february.evaluate(profile, now)["demographic.age"] == february


@given(st.dates(dt.date(2000, 2, 29), dt.date(2000, 2, 29)) | DAYS, DAYS)
def test_age_with_leap_days_in_february(leaping_in_february, born, today):
    if born > today:
        born, today = today, born
    found = leaping_in_february.evaluate({"birth_date": midnight(born)}, midnight(today))
    assert found["demographic.age"] == birthdays(born, today, (2, 28))


def test_a_day_begins_where_the_settings_say(oracle):
    profile = {"birth_date": dt.datetime(2000, 6, 15, tzinfo=dt.UTC)}
    now = dt.datetime(2025, 6, 14, 23, tzinfo=dt.UTC)
    assert oracle(STRATEGY).evaluate(profile, now)["demographic.age"] == 24
    assert oracle(STRATEGY, time_zone="Europe/Vienna").evaluate(profile, now)["demographic.age"] == 25


@pytest.mark.parametrize(
    ("year", "band"),
    [
        (2026, "implausible"),
        (2025, "under-18"),
        (2007, "18-24"),
        (2000, "25-34"),
        (1960, "65-plus"),
        (1905, "65-plus"),
        (1904, "implausible"),
        (1893, "implausible"),
    ],
)
def test_age_bands(demographic, year, band):
    found = demographic.evaluate({"birth_date": dt.datetime(year, 6, 1, tzinfo=dt.UTC)})
    assert found["demographic.age_band"] == band
    members = [name for name, value in found.items() if name.startswith("demographic/age-") and value]
    assert members == ([] if band == "implausible" else [f"demographic/age-{band}"])


@pytest.mark.parametrize(
    ("year", "generation"),
    [
        (1900, "earlier"),
        (1901, "greatest"),
        (1945, "silent"),
        (1946, "baby-boomers"),
        (1964, "baby-boomers"),
        (1965, "x"),
        (1996, "millennials"),
        (1997, "z"),
        (2013, "later"),
    ],
)
def test_generations(demographic, year, generation):
    found = demographic.evaluate({"birth_date": dt.datetime(year, 12, 31, 23, tzinfo=dt.UTC)})
    assert found["demographic.generation"] == generation


@pytest.mark.parametrize(
    ("stated", "gender"),
    [
        (" Female", "female"),
        ("M", "male"),
        ("Enby", "non-binary"),
        ("Prefer not to say", "undisclosed"),
        ("agender", "other"),
        ("", "other"),
    ],
)
def test_gender(demographic, stated, gender):
    assert demographic.evaluate({"gender": stated})["demographic.gender"] == gender


@pytest.mark.parametrize(
    ("stated", "status"),
    [
        ("Together", "cohabiting"),
        ("Alone", "single"),
        ("Widow", "widowed"),
        ("Absurd", "other"),
        ("YOLO", "other"),
    ],
)
def test_marital_status(demographic, stated, status):
    assert demographic.evaluate({"marital_status": stated})["demographic.marital_status"] == status


@pytest.mark.parametrize(
    ("income", "band"),
    [
        (-500.0, "low"),
        (14_999.99, "low"),
        (15_000.0, "lower-middle"),
        (99_999.0, "upper-middle"),
        (1e12, "high"),
    ],
)
def test_income(demographic, income, band):
    found = demographic.evaluate({"income": income})
    assert found["demographic.income_band"] == band
    assert found[f"demographic/income-{band}"] is True


@given(st.integers(-3, 12))
def test_education_by_level(demographic, level):
    found = demographic.evaluate({"education_level": level})
    expected = ISCED_2011[level] if 0 <= level <= 8 else "other"
    assert found["demographic.education"] == expected
    group = "low" if level <= 2 else "medium" if level <= 4 else "high"
    assert found["demographic.education_group"] == (group if 0 <= level <= 8 else "other")


def test_the_level_beats_the_label_and_the_label_serves_without_it(demographic):
    assert demographic.evaluate({"education": "PhD"})["demographic.education"] == "doctoral"
    both = demographic.evaluate({"education": "PhD", "education_level": 7})
    assert both["demographic.education"] == "master"
    assert demographic.evaluate({"education": "wizardry"})["demographic.education_group"] == "other"


@given(st.from_regex(r"\A[0-9]{1,4}\Z"))
def test_occupation_by_code(demographic, code):
    found = demographic.evaluate({"occupation_code": code})
    assert found["demographic.occupation_group"] == ISCO_08[code[0]]


@pytest.mark.parametrize("code", ["", "25120", "2 51", "x", "-251", "\uff12\uff15"])
def test_what_is_no_occupation_code_is_other(demographic, code):
    assert demographic.evaluate({"occupation_code": code})["demographic.occupation_group"] == "other"


def test_occupation_by_name(demographic):
    found = demographic.evaluate({"occupation_group": "Clerical support workers"})
    assert found["demographic.occupation_group"] == "clerical"


@pytest.mark.parametrize(("children", "expected"), [(0, False), (1, True), (7, True)])
def test_children(demographic, children, expected):
    found = demographic.evaluate({"children_at_home": children})
    assert found["demographic.household_with_children"] is expected
    assert found["demographic/with-children"] is expected
    assert found["demographic/without-children"] is not expected


def test_religion_says_that_it_is_special():
    (religion,) = [a for a in STRATEGY.attributes if a.name == "religion"]
    traits = STRATEGY.traits(STRATEGY.settings())
    segments = STRATEGY.segments(STRATEGY.settings())
    assert religion.category == "special"
    assert [trait.name for trait in traits if trait.derives_special] == ["religion"]
    assert not [segment.id for segment in segments if "religion" in segment.rule]


def test_nothing_is_said_about_an_empty_profile(demographic):
    assert demographic.evaluate({}) == {}
