"""Bulk aggregates that take a pass of their own: each gives a frame of :data:`ROW` and its value."""

from __future__ import annotations

import polars as pl

from segserver.events.bulk_table import ROW, TICK, Table
from segserver.events.conditions import PREFIX
from segserver.events.definitions import GAPS_MAX
from segserver.events.measures import Measure

VALUE = "@value"


def _chosen(table: Table, counts: pl.Expr | None) -> pl.LazyFrame:
    return table.frame.lazy() if counts is None else table.frame.lazy().filter(counts)


def most_frequent(table: Table, measure: Measure, counts: pl.Expr | None, top: int) -> pl.LazyFrame:
    """The value that occurs most or weighs most, or a list of so many."""
    assert measure.of is not None  # noqa: S101 - the compiler has seen to it
    of, amount = pl.col(PREFIX + measure.of[0]).alias(VALUE), "@amount"
    weighed = pl.len() if measure.weight is None else table.exact(measure.weight[0]).sum()
    amounts = _chosen(table, counts).group_by(ROW, of).agg(weighed.alias(amount))
    if not top:
        most = amounts.filter(pl.col(amount) == pl.col(amount).max().over(ROW))
        return most.group_by(ROW).agg(pl.col(VALUE).min())
    ranked = amounts.sort(ROW, amount, VALUE, descending=[False, True, False])
    return ranked.group_by(ROW, maintain_order=True).agg(pl.col(VALUE).head(top))


def gaps(table: Table, counts: pl.Expr | None) -> pl.LazyFrame:
    """The median time between an event and the next in microseconds, of a table in order."""
    latest = pl.col(TICK).tail(GAPS_MAX + 1)
    return _chosen(table, counts).group_by(ROW, maintain_order=True).agg(latest.diff().median().alias(VALUE))


def sequences(
    starts: tuple[Table, pl.Expr | None], ends: tuple[Table, pl.Expr | None], within: int
) -> pl.LazyFrame:
    """The subjects for whom an end follows a start; both tables are in order, and may be the same."""
    begun = "@begun"
    if starts[0] is ends[0]:
        table = starts[0]
        start = pl.col(TICK) if starts[1] is None else pl.when(starts[1]).then(pl.col(TICK))
        followed = table.frame.lazy().with_columns(start.forward_fill().shift(1).over(ROW).alias(begun))
        pairs = followed if ends[1] is None else followed.filter(ends[1])
    else:
        first = _chosen(*starts).select(ROW, pl.col(TICK).alias(begun)).sort(begun)
        second = _chosen(*ends).select(ROW, TICK).sort(TICK)
        pairs = second.join_asof(
            first.with_columns(pl.col(begun).alias(TICK)), on=TICK, by=ROW, check_sortedness=False
        )
    found = pairs.filter(pl.col(TICK) - pl.col(begun) <= within)
    return found.select(ROW).unique().with_columns(pl.lit(value=True).alias(VALUE))


def session_starts(table: Table, gap: int, now: int) -> pl.LazyFrame:
    """The time of the first event of each subject's current session, of a table in order; none for subjects
    without one."""
    later, end = pl.col(TICK).shift(-1).over(ROW).fill_null(now), "@end"
    position = table.position()
    ended = table.frame.lazy().with_columns(pl.when(later - pl.col(TICK) >= gap).then(position).alias(end))
    last_end = pl.col(end).max().over(ROW)
    current = ended.filter(last_end.is_null() | (position > last_end))
    return current.group_by(ROW).agg(pl.col(TICK).min().alias(VALUE))
