from __future__ import annotations

import datetime as dt
from itertools import pairwise
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segserver_journey import STRATEGY

from segserver.model import Outcome
from segserver.strategies.testing import NOW, Bench, check_strategy

BENCH = Bench(STRATEGY)


def ago(days: float) -> dt.datetime:
    return NOW - dt.timedelta(days=days)


def answer(*happenings):
    return BENCH.evaluate({}, NOW, [(name, ago(days), {}) for name, days in happenings])


def orders(*days):
    return [("order", day) for day in days]


@pytest.mark.parametrize(
    ("happenings", "stage"),
    [
        ([], "stranger"),
        ([("page_view", 400)], "visitor"),
        ([("page_view", 400), ("signed_up", 399)], "lead"),
        (orders(3), "first-purchase"),
        ([("signed_up", 9), *orders(3)], "first-purchase"),
        (orders(3, 40), "repeat"),
        (orders(3, 33, 63, 93, 123), "loyal"),
        (orders(119), "first-purchase"),
        (orders(120), "at-risk"),
        (orders(180), "lapsed"),
        (orders(360), "churned"),
        (orders(60, 90, 120, 150), "at-risk"),
        (orders(90, 120, 150, 180), "lapsed"),
        (orders(180, 210, 240, 270), "churned"),
        (orders(14, 14, 14, 14), "at-risk"),
        (orders(5, 300), "won-back"),
        (orders(5, 239), "repeat"),
        ([("cart_add", 0.05)], "cart-abandoner"),
        ([("cart_add", 0.04)], "stranger"),
        ([("cart_add", 7.01)], "stranger"),
        ([("cart_add", 2), ("order", 1)], "first-purchase"),
        ([("cart_add", 1), ("order", 2)], "cart-abandoner"),
    ],
)
def test_a_customer_is_in_one_stage(happenings, stage):
    found = answer(*happenings)
    assert found["journey.stage"] == stage
    members = [name for name, outcome in found.items() if outcome is Outcome.MEMBER]
    assert members == ([] if stage == "stranger" else [f"journey/{stage}"])


@given(st.lists(st.integers(0, 700), min_size=1, max_size=12, unique=True))
def test_thresholds_follow_the_customers_own_gap(days):
    """Told again in plain Python, for customers who only order."""
    days = sorted(days)
    gap = max(median(b - a for a, b in pairwise(days)), 7.0) if len(days) >= 4 else 60.0
    lately = [day for day in days if day < 60]
    gaps = days[0] / gap
    if lately and not [day for day in days if 60 <= day < 240] and len(days) > len(lately):
        expected = "won-back"
    elif gaps >= 6:
        expected = "churned"
    elif gaps >= 3:
        expected = "lapsed"
    elif gaps >= 2:
        expected = "at-risk"
    else:
        expected = "loyal" if len(days) >= 5 else "repeat" if len(days) > 1 else "first-purchase"
    assert answer(*orders(*days))["journey.stage"] == expected


@pytest.mark.parametrize(
    ("happenings", "waiting"),
    [
        ([], False),
        ([("support_asked", 2)], True),
        ([("support_asked", 0.9)], False),
        ([("support_asked", 2), ("support_answered", 1)], False),
        ([("support_asked", 4), ("support_answered", 3), ("support_asked", 2)], True),
        ([("support_asked", 2), ("support_asked", 0.1)], True),
    ],
)
def test_who_got_no_answer_waits(happenings, waiting):
    assert answer(*happenings)["journey/support-waiting"] is (
        Outcome.MEMBER if waiting else Outcome.NOT_MEMBER
    )


def test_the_strategy_keeps_the_contract():
    check_strategy(STRATEGY, examples=10)
