"""The models beside what their authors published, beside integrals, and beside data that they made."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from scipy.integrate import quad
from segserver_value.fitting import CUSTOMERS_MIN, READS, fit
from segserver_value.models import (
    WEEK,
    expected_amount,
    expected_orders,
    fit_purchases,
    fit_spend,
    probability_active,
)
from segserver_value.settings import ValueSettings

PAPER = SimpleNamespace(r=0.243, alpha=4.414, a=0.793, b=2.426)
"""CDNOW, in weeks: table 2 of Fader, Hardie and Lee (2005)."""
SPEND_PAPER = SimpleNamespace(p=6.25, q=3.74, v=15.44)
"""CDNOW: Fader and Hardie (2013)."""


def one(*values: float) -> list[np.ndarray]:
    return [np.array([float(value)]) for value in values]


def test_the_published_customer_is_expected_to_order_as_published():
    """Section 6 of "Implementing the BG/NBD Model for Customer Base Analysis in Excel" (2005)."""
    x, t, age = one(2, 30.43 * WEEK, 38.86 * WEEK)
    (found,) = expected_orders(PAPER, x, t, age, 39 * WEEK)
    assert found == pytest.approx(1.226, abs=5e-4)


def test_the_published_averages_are_drawn_to_the_mean_as_published():
    (found,) = expected_amount(SPEND_PAPER, *one(2, 22.35))
    assert found == pytest.approx(24.66, abs=0.01)


@pytest.mark.parametrize(("x", "t", "age"), [(0, 0, 100), (1, 30, 100), (7, 200, 210), (40, 300, 360)])
def test_expected_orders_are_the_integral_of_the_rate(x, t, age):
    """For one who is alive with certainty the rate is gamma and the dropout beta: integrated numerically."""
    ahead = 91.0
    (found,) = expected_orders(PAPER, *one(x, t, age), ahead)
    (alive,) = probability_active(PAPER, *one(x, t, age))
    r, alpha, a, b = PAPER.r + x, PAPER.alpha + age / WEEK, PAPER.a, PAPER.b + x
    weeks = ahead / WEEK

    def given_dropout(p: float) -> float:
        # E over the gamma rate of (1 - exp(-rate p weeks)) / p, times the beta density of p.
        expected = (1 - (alpha / (alpha + p * weeks)) ** r) / p
        return expected * p ** (a - 1) * (1 - p) ** (b - 1)

    norm, _ = quad(lambda p: p ** (a - 1) * (1 - p) ** (b - 1), 0, 1)
    integral, _ = quad(given_dropout, 0, 1)
    assert found == pytest.approx(alive * integral / norm, rel=1e-5)


def test_the_fit_finds_the_parameters_that_made_the_customers():
    draw = np.random.default_rng(7)
    count = 4_000
    rate = draw.gamma(0.8, 1 / 4.0, count)
    dropout = draw.beta(1.2, 3.0, count)
    x, t = np.zeros(count), np.zeros(count)
    weeks = draw.uniform(20, 60, count)
    for customer in range(count):
        time = 0.0
        while True:
            time += draw.exponential(1 / rate[customer])
            if time > weeks[customer]:
                break
            x[customer] += 1
            t[customer] = time
            if draw.random() < dropout[customer]:
                break
    found = fit_purchases(x, t * WEEK, weeks * WEEK)
    assert found["r"] == pytest.approx(0.8, rel=0.2)
    assert found["alpha"] == pytest.approx(4.0, rel=0.25)
    assert found["a"] / found["b"] == pytest.approx(0.4, rel=0.25)


def test_the_fit_finds_what_the_orders_are_worth():
    draw = np.random.default_rng(7)
    orders = draw.integers(1, 12, 4_000).astype(float)
    scale = draw.gamma(4.0, 1 / 20.0, 4_000)
    mean = draw.gamma(5.0 * orders, 1 / (scale * orders))
    found = fit_spend(orders, mean)
    assert found["p"] * found["v"] / (found["q"] - 1) == pytest.approx(5.0 * 20.0 / 3.0, rel=0.1)


def test_nobody_is_worth_less_for_having_ordered_once_more_just_now():
    x, t, age = np.array([1.0, 2.0, 3.0]), np.array([100.0, 100.0, 100.0]), np.array([100.0] * 3)
    found = expected_orders(PAPER, x, t, age, 90.0)
    assert list(found) == sorted(found)


def test_there_is_no_gap_where_the_closed_form_has_one():
    around = [
        expected_orders(SimpleNamespace(r=0.5, alpha=4.0, a=a, b=2.0), *one(3, 60, 90), 90.0)[0]
        for a in (0.9999, 1.0, 1.0001)
    ]
    assert around[0] == pytest.approx(around[1], rel=1e-3)
    assert around[1] == pytest.approx(around[2], rel=1e-3)


def test_a_population_whose_amounts_are_not_known_is_refused():
    few = CUSTOMERS_MIN - 1
    columns = {name: [1.0] * 2 * few for name in READS} | {"value_spent": [1.0] * few + [None] * few}
    with pytest.raises(ValueError, match=f"{few} customers ordered for a known amount"):
        fit(ValueSettings(), pl.DataFrame(columns), 0)
