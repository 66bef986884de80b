"""Two published models of customers who come and go without saying so, fitted and asked.

* BG/NBD: P. Fader, B. Hardie, K. L. Lee, "Counting Your Customers the Easy Way: An Alternative to the
  Pareto/NBD Model", Marketing Science 24 (2005): equations 6 (likelihood) and 10 (expected orders).
* Gamma-gamma: P. Fader, B. Hardie, "The Gamma-Gamma Model of Monetary Value" (2013): equations 1a and 5.

Of a customer they know x, the orders after the first; t, the days from the first to the last; T, the days
since the first; and m, the average order.

scipy is imported when a model is fitted or asked: a server without a fit starts without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]

WEEK = 7.0
"""The models count time in weeks, which keeps their parameters near one."""

PENALTY = 1e-3
"""Of the mean squared logarithm of the parameters: where data say little, they stay finite."""


def fit_purchases(x: Column, t: Column, age: Column) -> dict[str, float]:
    """The parameters r, alpha, a, b of BG/NBD that make these customers most likely; times in days.

    Raises :class:`ValueError` when no parameters are found.
    """
    from scipy.special import betaln, gammaln

    t, age = t / WEEK, age / WEEK

    def unlikely(r: float, alpha: float, a: float, b: float) -> float:
        together = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
        alive = -(r + x) * np.log(alpha + age)
        with np.errstate(divide="ignore"):
            left = np.where(
                x > 0,
                np.log(a) - np.log(np.maximum(b + x - 1, 1e-12)) - (r + x) * np.log(alpha + t),
                -np.inf,
            )
        return -float(np.mean(together + np.logaddexp(alive, left)))

    return _most_likely(unlikely, ("r", "alpha", "a", "b"), (0.5, 5.0, 1.0, 2.0))


def fit_spend(orders: Column, mean: Column) -> dict[str, float]:
    """The parameters p, q, v of gamma-gamma that make these averages of so many orders most likely.

    Raises :class:`ValueError` when no parameters are found.
    """
    from scipy.special import gammaln

    def unlikely(p: float, above: float, v: float) -> float:
        q = above + 1.0  # from 1 on the mean exists
        px = p * orders
        likely = gammaln(px + q) - gammaln(px) - gammaln(q) + q * np.log(v) + (px - 1) * np.log(mean)
        likely += px * np.log(orders) - (px + q) * np.log(v + orders * mean)
        return -float(np.mean(likely))

    start = (2.0, 2.0, float(np.mean(mean)))
    found = _most_likely(unlikely, ("p", "q", "v"), start)
    return {**found, "q": found["q"] + 1.0}


def _most_likely(
    unlikely: Callable[..., float], names: tuple[str, ...], start: tuple[float, ...]
) -> dict[str, float]:
    from scipy.optimize import minimize

    def objective(logs: Column) -> float:
        value = unlikely(*np.exp(np.clip(logs, -15, 15))) + PENALTY * float(np.mean(logs**2))
        return value if np.isfinite(value) else 1e12

    found = minimize(
        objective,
        np.log(start),
        method="Nelder-Mead",
        options={"maxiter": 4_000, "maxfev": 8_000, "xatol": 1e-5, "fatol": 1e-9},
    )
    if not found.success:
        raise ValueError(f"the search for {', '.join(names)} found no end")
    return {name: float(f"{value:.6g}") for name, value in zip(names, np.exp(found.x), strict=True)}


def expected_orders(model: Any, x: Column, t: Column, age: Column, days: float) -> Column:
    """How many orders to expect in the next ``days`` of customers with this history."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    from scipy.special import hyp2f1

    if abs(a - 1) < 1e-6:  # the closed form has a gap here, and is smooth around it
        a += 2e-6
    t, age, ahead = t / WEEK, age / WEEK, days / WEEK
    z = ahead / (alpha + age + ahead)
    shrunk = ((alpha + age) / (alpha + age + ahead)) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, z)
    coming = (a + b + x - 1) / (a - 1) * (1 - shrunk)
    found: Column = np.maximum(coming * _active(model, x, t, age), 0.0)
    return found


def probability_active(model: Any, x: Column, t: Column, age: Column) -> Column:
    """How likely a customer is still one: the denominator of the expected orders says it."""
    return _active(model, x, t / WEEK, age / WEEK)


def _active(model: Any, x: Column, t: Column, age: Column) -> Column:
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    gone = np.where(x > 0, a / np.maximum(b + x - 1, 1e-12) * ((alpha + age) / (alpha + t)) ** (r + x), 0.0)
    found: Column = 1 / (1 + gone)
    return found


def expected_amount(model: Any, orders: Column, mean: Column) -> Column:
    """What an order of a customer is worth: between their own average and everybody's."""
    p, q, v = model.p, model.q, model.v
    own = p * orders / (p * orders + q - 1)
    found: Column = (1 - own) * (v * p / (q - 1)) + own * mean
    return found
