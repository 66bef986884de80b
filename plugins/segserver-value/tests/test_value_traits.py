from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from segserver_value import STRATEGY
from segserver_value.fitting import abc, fit, quantiles
from segserver_value.settings import ValueSettings

from segserver.errors import InvalidInput
from segserver.model import Outcome
from segserver.strategies.testing import NOW, Bench, check_strategy

FIT = {
    "date": "2026-06-15",
    "customers": 1_000,
    "purpose": "analytics",
    "seed": 0,
    "digest": "0" * 64,
    "window_days": 365,
    "recency_days": [10.0, 30.0, 90.0, 180.0],
    "frequency": [1.0, 2.0, 3.0, 6.0],
    "monetary": [20.0, 50.0, 100.0, 300.0],
    "profit": [float(limit) for limit in range(1, 10)],
    "tiers": [60.0, 200.0, 500.0],
    "abc": [150.0, 60.0],
    "purchases": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    "spend": {"p": 6.25, "q": 3.74, "v": 15.44},
}
BENCH = Bench(STRATEGY, {"fit": FIT})

CELLS = {
    "champions": ["54", "55"],
    "loyal": ["34", "35", "44", "45"],
    "potential-loyalists": ["42", "43", "52", "53"],
    "new": ["51"],
    "promising": ["41"],
    "needs-attention": ["33"],
    "about-to-sleep": ["31", "32"],
    "cant-lose": ["15", "25"],
    "at-risk": ["13", "14", "23", "24"],
    "hibernating": ["11", "12", "21", "22"],
}


def customer(*orders: tuple[float, float], refunds: tuple[tuple[float, float], ...] = ()):
    """The answer for one who ordered (days ago, amount), and was paid back (days ago, amount)."""
    events = [("order", NOW - dt.timedelta(days=day), {"amount": paid}) for day, paid in orders]
    events += [("order_returned", NOW - dt.timedelta(days=day), {"amount": paid}) for day, paid in refunds]
    return BENCH.evaluate({}, NOW, events)


def test_every_pair_of_scores_is_in_one_cell():
    recency = {5: 5.0, 4: 20.0, 3: 60.0, 2: 100.0, 1: 200.0}
    frequency = {1: 1, 2: 2, 3: 3, 4: 5, 5: 7}
    for cell, pairs in CELLS.items():
        for pair in pairs:
            r, f = int(pair[0]), int(pair[1])
            found = BENCH.evaluate({"days_since_order": recency[r], "value_orders": frequency[f]}, NOW)
            assert (found["value.recency_score"], found["value.frequency_score"]) == (r, f)
            assert found["value.cell"] == cell
            assert found[f"value/rfm-{cell}"] is Outcome.MEMBER
    assert sum(map(len, CELLS.values())) == 25


def test_money_that_was_paid_back_is_taken_off():
    found = customer((5, 100.0), (40, 60.0), refunds=((3, 50.0),))
    assert found["value.net_spent"] == 110.0
    assert found["value.monetary_score"] == 4
    assert found["value.rfm"] == "524"
    assert found["value.tier"] == "silver"
    assert found["value.abc_class"] == "B"


def test_a_limit_belongs_to_the_lower_score():
    assert BENCH.evaluate({"days_since_order": 10.0}, NOW)["value.recency_score"] == 5
    assert BENCH.evaluate({"days_since_order": 10.1}, NOW)["value.recency_score"] == 4


def test_who_never_ordered_has_no_lifetime_value():
    found = customer()
    assert found["value.lifetime_value"] is None
    assert found["value.expected_orders"] is None
    assert found["value.cell"] is None
    assert found["value.net_spent"] == 0.0


def test_lifetime_value_falls_while_nothing_is_ordered():
    worth = [
        customer((day, 50.0), (day + 30, 50.0), (day + 60, 50.0))["value.lifetime_value"]
        for day in (5, 60, 200)
    ]
    assert worth == sorted(worth, reverse=True)
    assert worth[-1] > 0


def test_without_a_fit_there_are_only_facts():
    answer = Bench(STRATEGY).evaluate({}, NOW, [])
    assert answer == {"value.recency_days": None, "value.orders": 0, "value.net_spent": 0.0}


@pytest.mark.parametrize(
    "settings",
    [
        {"window_days": 30, "fit": FIT},
        {"tiers": ["small", "large"]},
        {"tier_shares": [0.5, 0.5, 0.9]},
        {"abc_shares": [0.9, 0.8]},
        {"fit": {**FIT, "spend": {"p": 1.0, "q": 0.5, "v": 1.0}}},
        {"fit": {**FIT, "recency_days": [1.0]}},
    ],
)
def test_settings_that_do_not_agree_are_refused(settings):
    with pytest.raises(InvalidInput):
        Bench(STRATEGY, settings)


def test_quantiles_are_values_that_somebody_has():
    values = pl.Series([5, 1, 1, 1, 2, 9, 3, 4, 8, 7])
    assert quantiles(values, [0.1, 0.2, 0.3, 0.4, 0.5, 1.0]) == [1, 1, 1, 2, 3, 9]


def test_class_a_brings_the_first_four_fifths():
    assert abc(pl.Series([10.0, 50.0, 30.0, 5.0, 5.0]), (0.8, 0.95)) == [30.0, 5.0]


def population(count: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "orders_ever": [1 + i % 9 for i in range(count)],
            "days_since_order": [float(i % 200) for i in range(count)],
            "days_since_first_order": [float(i % 200 + 30 * (i % 9)) for i in range(count)],
            "value_orders": [1 + i % 9 for i in range(count)],
            "value_spent": [float(10 + i % 333) for i in range(count)],
            "value_refunded": [0.0] * count,
            "value_margin": [0.0] * count,
            "value_margins": [0] * count,
            "order_average": [float(10 + i % 40) for i in range(count)],
        }
    )


def test_a_fit_depends_on_customers_and_not_on_their_order():
    table = population(400)
    first = fit(ValueSettings(), table, 1)
    assert fit(ValueSettings(), table.sample(fraction=1, shuffle=True, seed=3), 1) == first
    assert first["profit"] is None
    said = {"date": "2026-06-15", "customers": 400, "purpose": "analytics", "seed": 1, "digest": "x"}
    Bench(STRATEGY, {"fit": {**said, **first}})


def test_too_few_customers_make_no_fit():
    with pytest.raises(ValueError, match="199 customers"):
        fit(ValueSettings(), population(199), 0)


def test_the_strategy_keeps_the_contract():
    check_strategy(STRATEGY, examples=10)
    check_strategy(STRATEGY, settings={"fit": FIT}, examples=20)
