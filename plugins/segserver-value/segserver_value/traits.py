"""The value traits: scores and classes in CEL, what is still to come in code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from segserver.strategies.api import Trait
from segserver.strategies.cel import choose, literal
from segserver_value.models import Column, expected_amount, expected_orders, probability_active
from segserver_value.settings import ValueFit, ValueSettings

NET_SPENT = "value.net_spent"

CELLS = {
    "champions": "Ordered lately, and order often",
    "loyal": "Order often",
    "potential-loyalists": "Ordered lately, and more than once",
    "new": "Ordered for the first time, just now",
    "promising": "Ordered lately, not often yet",
    "needs-attention": "Were better customers than they are now",
    "about-to-sleep": "Have not ordered for some time, and not often",
    "at-risk": "Ordered often, and not for long",
    "cant-lose": "Ordered most of all, and not for long",
    "hibernating": "Ordered little, and not for long",
}
"""The usual names of the cells of recency and frequency, with what they mean."""

STEP_DAYS = 30.0
"""About a month: so finely are expected orders discounted."""

ORDERS_MAX, AGE_DAYS_MAX = 1e5, 36_500.0
"""Beyond these nobody is a customer, and the models' numbers leave the range of a double."""


def traits(settings: ValueSettings) -> list[Trait]:
    """The traits under these settings; without a fit, only those that need none."""
    days = settings.window_days
    found = [
        Trait("recency_days", "double", "Days since the last order", rule="days_since_order"),
        Trait("orders", "int", f"Orders in {days} days", rule="value_orders"),
        Trait("net_spent", "double", f"Spent in {days} days", rule="value_spent - value_refunded"),
    ]
    if settings.fit is not None:
        found += _fitted(settings, settings.fit)
    return found


def _fitted(settings: ValueSettings, fit: ValueFit) -> list[Trait]:
    scores = [
        Trait(
            "recency_score",
            "int",
            "Recency, 5 is the latest",
            rule=_score("days_since_order", fit.recency_days, falling=True),
        ),
        Trait("frequency_score", "int", "Frequency, 5 is the most", rule=_frequency(fit)),
        Trait("monetary_score", "int", "Money, 5 is the most", rule=_score(NET_SPENT, fit.monetary)),
        Trait(
            "rfm",
            "string",
            "The three scores, like 545",
            rule="string(value.recency_score) + string(value.frequency_score) + string(value.monetary_score)",
        ),
        Trait("cell", "string", "RFM cell", rule=_cell(), values=tuple(CELLS)),
        Trait("tier", "string", "Monetary tier", rule=_tier(settings, fit), values=settings.tiers),
        Trait("abc_class", "string", "ABC class", rule=_abc(fit), values=("A", "B", "C")),
    ]
    if fit.profit is not None:
        deciles = " + ".join(f"(value_margin > {literal(float(limit))} ? 1 : 0)" for limit in fit.profit)
        scores.append(
            Trait(
                "profit_rank",
                "int",
                "Tenth of the customers by margin, 1 earns most",
                rule=f"value_margins > 0 ? 10 - ({deciles}) : 0",
            )
        )
    return [*scores, *_coming(settings, fit)]


def _score(of: str, limits: Sequence[float], *, falling: bool = False) -> str:
    above = " + ".join(f"({of} > {literal(float(limit))} ? 1 : 0)" for limit in limits)
    return f"5 - ({above})" if falling else f"1 + {above}"


def _frequency(fit: ValueFit) -> str:
    return "1 + " + " + ".join(f"(value_orders > {int(limit)} ? 1 : 0)" for limit in fit.frequency)


def _cell() -> str:
    """Of recency and frequency; every pair of scores is in one cell, and monetary tells nothing more."""
    r, f = "value.recency_score", "value.frequency_score"
    cases = [
        (f"({r} == 5 && {f} >= 4)", "champions"),
        (f"({r} >= 3 && {f} >= 4)", "loyal"),
        (f"({r} >= 4 && {f} >= 2)", "potential-loyalists"),
        (f"({r} == 5)", "new"),
        (f"({r} == 4)", "promising"),
        (f"({r} == 3 && {f} == 3)", "needs-attention"),
        (f"({r} == 3)", "about-to-sleep"),
        (f"({f} == 5)", "cant-lose"),
        (f"({f} >= 3)", "at-risk"),
    ]
    return choose([(rule, literal(name)) for rule, name in cases], literal("hibernating"))


def _tier(settings: ValueSettings, fit: ValueFit) -> str:
    cases = [
        (f"{NET_SPENT} <= {literal(float(limit))}", literal(name))
        for name, limit in zip(settings.tiers, fit.tiers, strict=False)
    ]
    return choose(cases, literal(settings.tiers[-1]))


def _abc(fit: ValueFit) -> str:
    a, b = (literal(float(limit)) for limit in fit.abc)
    return choose([(f"{NET_SPENT} >= {a}", '"A"'), (f"{NET_SPENT} >= {b}", '"B"')], '"C"')


def _coming(settings: ValueSettings, fit: ValueFit) -> list[Trait]:
    history = ("orders_ever", "days_since_order", "days_since_first_order")

    def orders(x: Column, t: Column, age: Column) -> Column:
        return expected_orders(fit.purchases, x, t, age, float(settings.horizon_days))

    def active(x: Column, t: Column, age: Column) -> Column:
        return probability_active(fit.purchases, x, t, age)

    def worth(count: pl.Series, last: pl.Series, first: pl.Series, average: pl.Series) -> pl.Series:
        money = average.to_numpy()
        with np.errstate(all="ignore"):
            orders = count.cast(pl.Float64).to_numpy()
            each = expected_amount(fit.spend, orders, np.where(money > 0, money, np.nan))
            coming = _discounted(settings, fit, *_history(count, last, first))
            return _numbers(coming * each * settings.margin_share, 2)

    days = settings.horizon_days
    example = (3, 40.0, 200.0)
    return [
        Trait(
            "expected_orders",
            "double",
            f"Orders to expect in {days} days",
            reads=history,
            vectorized=_of_history(orders),
            example=example,
        ),
        Trait(
            "active_probability",
            "double",
            "How likely somebody is still a customer",
            reads=history,
            vectorized=_of_history(active),
            example=example,
        ),
        Trait(
            "lifetime_value",
            "double",
            f"Money to expect in {days} days, discounted",
            reads=(*history, "order_average"),
            vectorized=worth,
            example=(*example, 25.0),
        ),
        Trait(
            "high_value",
            "bool",
            f"Lifetime value of {settings.high_value:g} or more",
            rule=f"value.lifetime_value >= {literal(float(settings.high_value))}",
        ),
    ]


def _numbers(values: Column, digits: int) -> pl.Series:
    """Rounded, so that no machine's last bit shows; null where the model gives no number."""
    return pl.Series(np.where(np.isfinite(values), np.round(values, digits), np.nan), nan_to_null=True)


def _of_history(model: Callable[[Column, Column, Column], Column]) -> Callable[..., pl.Series]:
    def column(count: pl.Series, last: pl.Series, first: pl.Series) -> pl.Series:
        with np.errstate(all="ignore"):
            return _numbers(model(*_history(count, last, first)), 6)

    return column


def _history(count: pl.Series, last: pl.Series, first: pl.Series) -> tuple[Column, Column, Column]:
    """x, t and T of the models, not a number where there is no customer, or one that nobody can be."""
    orders, since, age = count.cast(pl.Float64).to_numpy(), last.to_numpy(), first.to_numpy()
    possible = (orders >= 1) & (orders <= ORDERS_MAX) & (since >= 0) & (age >= since) & (age <= AGE_DAYS_MAX)
    x = np.where(possible, orders - 1, np.nan)
    return x, np.where(possible, age - since, np.nan), np.where(possible, age, np.nan)


def _discounted(settings: ValueSettings, fit: ValueFit, x: Column, t: Column, age: Column) -> Column:
    """Expected orders, each discounted by when it comes, in steps of about a month."""
    steps = max(round(settings.horizon_days / STEP_DAYS), 1)
    total, before = np.zeros_like(x), np.zeros_like(x)
    for step in range(1, steps + 1):
        days = settings.horizon_days * step / steps
        until = expected_orders(fit.purchases, x, t, age, days)
        total = total + (until - before) * (1 - settings.yearly_discount) ** (days / 365)
        before = until
    return total
