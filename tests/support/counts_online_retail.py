"""Stages, RFM cells and money of online_retail.parquet's customers at a date, in plain Polars from the file.

They are the yardstick for the mapping, the events, the strategies and the server, so nothing of the project
is used here. The definitions are those of the strategies' pages: an order is an invoice, a cancellation one
whose number begins with C.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

FILE = "online_retail.parquet"
DAY_US = 86_400_000_000

CELLS = {
    5: ["new", "potential-loyalists", "potential-loyalists", "champions", "champions"],
    4: ["promising", "potential-loyalists", "potential-loyalists", "loyal", "loyal"],
    3: ["about-to-sleep", "about-to-sleep", "needs-attention", "loyal", "loyal"],
    2: ["hibernating", "hibernating", "at-risk", "at-risk", "cant-lose"],
    1: ["hibernating", "hibernating", "at-risk", "at-risk", "cant-lose"],
}
"""By the score of recency, then of frequency from 1."""


def invoices(folder: Path) -> pl.DataFrame:
    """One row for each invoice that names a customer: ``subject``, ``at``, ``amount``, ``returned``."""
    lines = pl.read_parquet(folder / FILE).filter(pl.col("CustomerID").is_not_null())
    cents = (pl.col("Quantity") * pl.col("UnitPrice") * 1000).round()  # prices have up to three digits
    return lines.group_by("InvoiceNo", maintain_order=True).agg(
        subject=pl.col("CustomerID").first().cast(pl.Int64).cast(pl.String),
        at=pl.col("InvoiceDate").first(),
        amount=cents.sum() / 1000,
        returned=pl.col("InvoiceNo").first().str.starts_with("C"),
    )


def customers(bills: pl.DataFrame, now: dt.datetime) -> pl.DataFrame:
    """One row for each customer who did anything until ``now``, a naive time of the shop's clock."""
    past = bills.filter(pl.col("at") <= now)
    orders = past.filter(~pl.col("returned")).sort("at")
    year = pl.col("at") > now - dt.timedelta(days=365)

    def between(first: int, last: int) -> pl.Expr:
        since, until = now - dt.timedelta(days=first), now - dt.timedelta(days=last)
        return ((pl.col("at") > since) & (pl.col("at") <= until)).sum()

    since_last = (now - pl.col("at").max()).dt.total_microseconds() / DAY_US
    gap = pl.col("at").diff().dt.total_microseconds().median() / DAY_US
    bought = orders.group_by("subject").agg(
        ever=pl.len(),
        days=since_last,
        gap=gap,
        lately=between(60, 0),
        before=between(240, 60),
        orders=year.sum(),
        spent=pl.col("amount").filter(year).sum(),
    )
    back = past.filter(pl.col("returned") & year).group_by("subject").agg(back=-pl.col("amount").sum())
    return (
        past.select(pl.col("subject").unique())
        .join(bought, on="subject", how="left")
        .join(back, on="subject", how="left")
        .with_columns(
            pl.col("ever", "orders").fill_null(0),
            net=(pl.col("spent").fill_null(0.0) - pl.col("back").fill_null(0.0)).round(3),
        )
    )


def stages(found: pl.DataFrame) -> Counter[str]:
    """Stage of the journey → how many customers, of those who are in one."""
    return Counter(stage for row in found.iter_rows(named=True) if (stage := _stage(row)))


def _stage(row: dict[str, float]) -> str:
    if not row["ever"]:
        return ""
    gap = max(row["gap"], 7.0) if row["ever"] >= 4 else 60.0
    away = row["days"] / gap
    if row["lately"] and not row["before"] and row["ever"] > row["lately"]:
        return "won-back"
    for gaps, stage in ((6, "churned"), (3, "lapsed"), (2, "at-risk")):
        if away >= gaps:
            return stage
    return "loyal" if row["ever"] >= 5 else "repeat" if row["ever"] > 1 else "first-purchase"


def quantiles(found: pl.DataFrame) -> dict[str, list[float]]:
    """The quintiles of recency, frequency and money of those who ordered within a year, each the least value
    that so many of them do not exceed.
    """
    active = found.filter(pl.col("orders") > 0)
    places = [-(-active.height * fifth // 5) - 1 for fifth in range(1, 5)]
    return {name: [sorted(active[name])[place] for place in places] for name in ("days", "orders", "net")}


def cells(found: pl.DataFrame, limits: dict[str, list[float]]) -> Counter[str]:
    """RFM cell → how many customers, by these quintiles."""
    return Counter(cell for row in found.iter_rows(named=True) for cell in _cell(row, limits))


def _cell(row: dict[str, float], limits: dict[str, list[float]]) -> Iterator[str]:
    if row["days"] is not None:
        recency = 5 - sum(row["days"] > limit for limit in limits["days"])
        frequency = 1 + sum(row["orders"] > limit for limit in limits["orders"])
        yield CELLS[recency][frequency - 1]
