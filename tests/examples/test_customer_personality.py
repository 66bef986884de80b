from __future__ import annotations

import datetime as dt
from collections import Counter

import counts_customer_personality as counts
import pytest

DAY = dt.date(2015, 1, 1)


@pytest.fixture(scope="module")
def expected(shared_data):
    return counts.sizes(shared_data, DAY)


def test_the_raw_file_has_what_the_mapping_says_about_it(shared_data, customer_personality):
    profiles = list(customer_personality.profiles())
    rejected = Counter(profile for profile in profiles if isinstance(profile, str))
    assert rejected == {"the year of birth is implausible": 3}
    assert len(profiles) == 2240
    assert sum(isinstance(profile, dict) and "income" not in profile for profile in profiles) == 25


def test_the_counts_add_up(shared_data, expected):
    people = len(counts.accepted(shared_data))
    assert people == 2237

    def total(prefix):
        return sum(size for segment, size in expected.items() if segment.startswith(prefix))

    for whole in ("demographic/age-", "demographic/generation-", "demographic/education-", "food/value-"):
        assert total(whole) == people
    assert total("demographic/marital-") == people - 4
    assert total("demographic/income-") == people - 25
    assert expected["demographic/with-children"] + expected["demographic/without-children"] == people


def test_the_counts_are_those_found_by_hand(expected):
    assert {segment: expected[segment] for segment in HAND_COUNTED} == HAND_COUNTED


HAND_COUNTED = {
    "demographic/marital-single": 482,
    "demographic/marital-widowed": 77,
    "demographic/education-low": 54,
    "demographic/without-children": 637,
    "needs/price-sensitive": 430,
    "food/wine-lovers": 797,
}


def test_mapping_strategies_and_catalog_give_the_sizes_of_the_raw_file(customer_personality, expected):
    assert customer_personality.sizes(DAY) == expected


@pytest.mark.parametrize("day", [dt.date(2014, 6, 30), dt.date(2014, 7, 1)])
def test_a_birthday_changes_the_age_bands(customer_personality, shared_data, day):
    assert customer_personality.sizes(day) == counts.sizes(shared_data, day)
