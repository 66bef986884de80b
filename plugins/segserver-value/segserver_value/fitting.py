"""What the value strategy learns of a population: quantiles, and the parameters of two models.

A quantile is the least value that so large a share of the customers does not exceed, so that it is a value
that somebody has, whatever the order of the rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from segserver.strategies.api import Fit
from segserver_value.models import fit_purchases, fit_spend
from segserver_value.settings import ValueSettings

SAMPLE_MAX = 50_000
"""So many customers tell a model's four parameters; more are drawn from."""

CUSTOMERS_MIN = 200

READS = (
    "orders_ever",
    "days_since_order",
    "days_since_first_order",
    "value_orders",
    "value_spent",
    "value_refunded",
    "value_margin",
    "value_margins",
    "order_average",
)


def fit(settings: ValueSettings, table: pl.DataFrame, seed: int) -> Mapping[str, Any]:
    """The fit, as :class:`~segserver_value.settings.ValueFit` has it, without what the server says of it."""
    table = table.filter(pl.col("orders_ever") > 0).sort(READS)
    net = pl.col("value_spent") - pl.col("value_refunded")
    active = table.filter((pl.col("value_orders") > 0) & net.is_not_null()).with_columns(net=net)
    if active.height < CUSTOMERS_MIN:
        raise ValueError(
            f"{active.height} customers ordered for a known amount in the last {settings.window_days} days, "
            f"and it takes {CUSTOMERS_MIN}"
        )
    known = active.filter(pl.col("value_margins") > 0)
    profit = quantiles(known["value_margin"], [share / 10 for share in range(1, 10)])
    fifths = [share / 5 for share in range(1, 5)]
    return {
        "window_days": settings.window_days,
        "recency_days": quantiles(active["days_since_order"], fifths),
        "frequency": quantiles(active["value_orders"], fifths),
        "monetary": quantiles(active["net"], fifths),
        "profit": profit if known.height >= CUSTOMERS_MIN else None,
        "tiers": quantiles(active["net"], settings.tier_shares),
        "abc": abc(active["net"], settings.abc_shares),
        **_models(table, seed),
    }


def _models(table: pl.DataFrame, seed: int) -> dict[str, dict[str, float]]:
    sample = table if table.height <= SAMPLE_MAX else table.sample(SAMPLE_MAX, seed=seed)
    orders = sample["orders_ever"].cast(pl.Float64)
    first, last = sample["days_since_first_order"], sample["days_since_order"]
    paid = sample.filter(pl.col("order_average") > 0)
    if paid.height < CUSTOMERS_MIN:
        raise ValueError(f"{paid.height} customers paid for their orders, and it takes {CUSTOMERS_MIN}")
    return {
        "purchases": fit_purchases(
            (orders - 1).to_numpy(), np.maximum((first - last).to_numpy(), 0.0), first.to_numpy()
        ),
        "spend": fit_spend(paid["orders_ever"].cast(pl.Float64).to_numpy(), paid["order_average"].to_numpy()),
    }


def quantiles(values: pl.Series, shares: Sequence[float]) -> list[float]:
    """For each share, the least of the values that this share of them does not exceed; 0 for no values."""
    ordered = values.cast(pl.Float64).sort().to_list()
    if not ordered:
        return [0.0] * len(shares)
    # The product of a share and a number may be a hair above a whole one.
    return [ordered[max(math.ceil(len(ordered) * share - 1e-9) - 1, 0)] for share in shares]


def abc(values: pl.Series, shares: Sequence[float]) -> list[float]:
    """For each share, the value of the last customer who is needed for this share of the whole, the greatest
    first."""
    ordered = [max(value, 0.0) for value in values.sort(descending=True).to_list()]
    whole, run = math.fsum(ordered), 0.0
    found: list[float] = []
    for value in ordered:
        run += value
        while len(found) < len(shares) and run >= whole * shares[len(found)] - 1e-9:
            found.append(value)
    return found


FIT = Fit(READS, fit, CUSTOMERS_MIN)
