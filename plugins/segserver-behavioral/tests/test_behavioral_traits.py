from __future__ import annotations

import datetime as dt

import pytest
from segserver_behavioral import STRATEGY

from segserver.errors import InvalidInput
from segserver.model import Outcome
from segserver.strategies.testing import NOW, Bench, check_strategy

BENCH = Bench(STRATEGY)


def ago(days: float) -> dt.datetime:
    return NOW - dt.timedelta(days=days)


def answer(*happenings, bench=BENCH, now=NOW):
    return bench.evaluate({}, now, [(name, ago(days), facts) for name, days, facts in happenings])


def orders(*days: float, **facts: object):
    return [("order", day, facts) for day in days]


def pages(*views: tuple[float, dict[str, object]]):
    return [("page_view", minutes / 1_440, facts) for minutes, facts in views]


@pytest.mark.parametrize(
    ("happenings", "trait", "value"),
    [
        ([], "purchase_frequency", "none"),
        (orders(1, 2), "purchase_frequency", "occasional"),
        (orders(*range(3)), "purchase_frequency", "regular"),
        (orders(*range(12)), "purchase_frequency", "frequent"),
        (orders(1, 366, 400), "purchase_frequency", "occasional"),
        ([], "average_order", None),
        ([*orders(1, amount=10.0), *orders(2, amount=20.0), *orders(3)], "average_order", 15.0),
        ([], "discount_seeker", False),
        (orders(1, 2, 3, discount=0.1), "discount_seeker", True),
        (orders(1, 2, discount=0.1), "discount_seeker", False),
        ([*orders(1, 2, discount=0.1), *orders(3, 4, 5, discount=0.0)], "discount_seeker", False),
        (orders(150, 160, 170, 5), "season", "winter"),
        (orders(150, 160, 170), "season", "none"),
        (orders(5, 80, 150, 200), "season", "none"),
        (orders(180, 190, 200, 210), "holiday_shopper", True),
        (orders(1, 2, 3, 4), "holiday_shopper", False),
        ([], "preferred_channel", None),
        ([*orders(1, 2, channel="web"), *orders(3, channel="app")], "preferred_channel", "web"),
        ([*orders(1, channel="web"), *orders(3, channel="app")], "preferred_channel", "app"),
        ([], "most_viewed_products", ()),
        (
            pages(*((i, {"product": name}) for i, name in enumerate("aabbbccd"))),
            "most_viewed_products",
            ("b", "a", "c"),
        ),
        (
            pages((1, {"topic": "garden", "seconds": 5.0}), (2, {"topic": "tea", "seconds": 9.5})),
            "interests",
            ("tea", "garden"),
        ),
        ([], "email_engagement", "not-mailed"),
        ([("email_sent", 1, {})], "email_engagement", "unresponsive"),
        ([("email_sent", 1, {}), ("email_opened", 1, {})], "email_engagement", "opening"),
        ([("email_opened", day, {}) for day in (1, 40, 80, 120, 179)], "email_engagement", "engaged"),
        ([("email_opened", day, {}) for day in (1, 40, 80, 120, 181)], "email_engagement", "opening"),
        ([("email_clicked", 1, {})], "email_engagement", "clicking"),
        ([], "session_depth", "none"),
        (pages((1, {}), (20, {}), (45, {})), "session_depth", "browse"),
        (pages((1, {}), (20, {}), (51, {})), "session_depth", "glance"),
        (pages((31, {}), (32, {})), "session_depth", "none"),
        (pages((1, {"seconds": 100.0}), (5, {"seconds": 80.0})), "long_session", True),
        (pages((1, {"seconds": 100.0}), (5, {"seconds": 79.0})), "long_session", False),
        ([], "frequent_returner", False),
        ([*orders(1, 2, 3), ("order_returned", 1, {})], "frequent_returner", True),
        ([*orders(1, 2, 3, 4), ("order_returned", 1, {})], "frequent_returner", False),
        ([("support_asked", 1, {}), ("support_asked", 89, {})], "needs_support", True),
        ([("support_asked", 1, {}), ("support_asked", 91, {})], "needs_support", False),
        ([("app_opened", 29, {})], "app_user", True),
        ([("app_opened", 31, {})], "app_user", False),
        ([], "churn_risk", None),
        (orders(89), "churn_risk", "low"),
        (orders(90), "churn_risk", "medium"),
        (orders(180), "churn_risk", "high"),
        (orders(20, 30, 40, 50), "churn_risk", "medium"),
        (orders(30, 40, 50, 60), "churn_risk", "high"),
        (orders(10, 10, 10, 10), "churn_risk", "low"),
        (orders(11, 11, 11, 11), "churn_risk", "medium"),
    ],
)
def test_a_trait_follows_from_what_was_done(happenings, trait, value):
    assert answer(*happenings)[f"behavioral.{trait}"] == value


def test_an_exclusive_group_has_one_member():
    found = answer(*orders(*range(12)))
    members = {name for name, outcome in found.items() if outcome is Outcome.MEMBER}
    assert {name for name in members if name.startswith("behavioral/frequency")} == {
        "behavioral/frequency-frequent"
    }


def test_a_month_is_that_of_the_time_zone():
    late = dt.datetime(2026, 5, 31, 23, 30, tzinfo=dt.UTC)
    events = [("order", late, {})] * 4
    assert BENCH.evaluate({}, NOW, events)["behavioral.season"] == "spring"
    vienna = Bench(STRATEGY, {"time_zone": "Europe/Vienna"})
    assert vienna.evaluate({}, NOW, events)["behavioral.season"] == "summer"


@pytest.mark.parametrize(
    "settings",
    [
        {"seasons": {"spring": [1]}},
        {"churn_high": 1.0},
        {"time_zone": "Mars/Olympus"},
        {"purchase_days": 0},
        {"holiday_months": [13]},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(InvalidInput):
        Bench(STRATEGY, settings)


def test_the_strategy_keeps_the_contract():
    check_strategy(STRATEGY, examples=10)
