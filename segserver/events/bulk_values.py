"""How the aggregated columns of a measure become a computed attribute's column."""

from __future__ import annotations

import polars as pl

from segserver.events.plans import Plan
from segserver.events.windows import DAY
from segserver.model import INT64_MAX, INT64_MIN
from segserver.rules.polars_column import dtype

COUNT, RESULT, LENGTH = "@count", "@result", "@length"
"""What is aggregated: how many events count, and what was taken of them; and the window's microseconds."""

_COUNT, _RESULT = pl.col(COUNT), pl.col(RESULT)


def value_of(plan: Plan, now: int) -> pl.Expr:
    """The value of one window, null where there is none; null counts are those of subjects without events."""
    definition = plan.definition
    of = plan.measure.of
    many = _COUNT.fill_null(0).cast(pl.Int64())
    match definition.aggregate:
        case "count" | "distinct":
            return many
        case "sum":
            return _sum(of is not None and of[1] == "double")
        case "average":
            total = _RESULT.cast(pl.Float64())
            total = divided(total, 1e6) if of is not None and of[1] == "double" else total
            return pl.when(_COUNT > 0).then(total / _COUNT)
        case "time_since_last" | "time_since_first":
            return divided((now - _RESULT).cast(pl.Float64()), DAY)
        case "median_gap":
            return divided(_RESULT, DAY)
        case "exists":
            return many > 0
        case "absent":
            return many == 0
        case "sequence":
            return _RESULT.fill_null(value=False)
        case "rate":
            days = divided(pl.col(LENGTH).cast(pl.Float64()), DAY)
            return pl.when(many > 0).then(many.cast(pl.Float64()) / days).otherwise(0.0)
        case "most_frequent" if definition.top:
            return _RESULT.fill_null([])
        case "first" | "last" if of is None:
            return _RESULT.cast(dtype("timestamp"))
        case "minimum" | "maximum" if of is not None and of[1] == "double":
            return _RESULT + 0.0  # no minus zero
    return _RESULT


def _sum(double: bool) -> pl.Expr:
    total = _RESULT.fill_null(0)
    return divided(total.cast(pl.Float64()), 1e6) if double else in_64_bits(total)


def divided(value: pl.Expr, by: float) -> pl.Expr:
    """A column divided by a number. Polars multiplies a column with the reciprocal of one number, which
    rounds twice; by a column it divides.
    """
    return value / (value.is_not_null().cast(pl.Float64()) * float(by))


def in_64_bits(value: pl.Expr) -> pl.Expr:
    """An int column in 64 bits, null beyond them."""
    return pl.when(value.is_between(INT64_MIN, INT64_MAX)).then(value).cast(pl.Int64(), strict=False)


def compared(plan: Plan, first: pl.Expr, second: pl.Expr) -> pl.Expr:
    """The difference or ratio of two windows' values."""
    if plan.definition.comparison == "ratio":
        divisor = second.cast(pl.Float64())
        return pl.when(divisor != 0).then(first.cast(pl.Float64()) / divisor)
    if plan.type == "int":
        return in_64_bits(first.cast(pl.Int128()) - second.cast(pl.Int128()))
    return first - second
