"""Segment sizes of customer_personality.tsv, counted from the raw file with only ``csv`` and arithmetic.

They are the yardstick for the mapping, the strategies and the server, so nothing of the project is used here.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

FILE = "customer_personality.tsv"

EDUCATION = {"Basic": "low", "Graduation": "high", "2n Cycle": "high", "Master": "high", "PhD": "high"}
MARITAL = {
    "Married": "married",
    "Together": "cohabiting",
    "Single": "single",
    "Alone": "single",
    "Divorced": "divorced",
    "Widow": "widowed",
}
BORN_UNTIL = [
    (1927, "greatest"),
    (1945, "silent"),
    (1964, "baby-boomers"),
    (1980, "x"),
    (1996, "millennials"),
]
INCOME_BELOW = [(25_000, "low"), (45_000, "lower-middle"), (65_000, "middle"), (85_000, "upper-middle")]
AGE_BELOW = [(18, "under-18"), (25, "18-24"), (35, "25-34"), (45, "35-44"), (55, "45-54"), (65, "55-64")]
INTERESTS = {
    "wine": ("MntWines", 350),
    "fresh-produce": ("MntFruits", 20),
    "meat": ("MntMeatProducts", 150),
    "fish": ("MntFishProducts", 30),
    "confectionery": ("MntSweetProducts", 20),
    "jewellery": ("MntGoldProds", 40),
}


def accepted(folder: Path) -> list[dict[str, str]]:
    """The rows that an import keeps."""
    with (folder / FILE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [row for row in rows if int(row["Year_Birth"]) >= 1920]


def age(row: dict[str, str], day: dt.date) -> int:
    """Completed years on ``day`` of somebody born on 1 July of the row's year."""
    years = day.year - int(row["Year_Birth"])
    return years if (day.month, day.day) >= (7, 1) else years - 1


def sizes(folder: Path, day: dt.date) -> Counter[str]:
    """Segment id → members on ``day``, for every segment that has any."""
    return Counter(segment for row in accepted(folder) for segment in segments(row, day))


def segments(row: dict[str, str], day: dt.date) -> Iterator[str]:
    """The ids of the segments that the row's customer is in."""
    yield from _demographic(row, day)
    interests = [name for name, (column, least) in INTERESTS.items() if int(row[column]) >= least]
    yield from (f"psychographic/interest-{name}" for name in interests)
    yield from _needs(row)
    yield from _food(row, day, interests)


def _demographic(row: dict[str, str], day: dt.date) -> Iterator[str]:
    years = age(row, day)
    yield f"demographic/age-{_below(years, AGE_BELOW, '65-plus')}"
    yield "demographic/adults" if years >= 18 else "demographic/minors"
    year = int(row["Year_Birth"])
    yield f"demographic/generation-{next(name for last, name in BORN_UNTIL if year <= last)}"
    if day.month == 7:
        yield "demographic/birthday-this-month"
    income = _income(row)
    if income is not None:
        yield f"demographic/income-{_below(income, INCOME_BELOW, 'high')}"
    yield f"demographic/education-{EDUCATION[row['Education']]}"
    if row["Marital_Status"] in MARITAL:
        yield f"demographic/marital-{MARITAL[row['Marital_Status']]}"
    yield "demographic/with-children" if _children(row) else "demographic/without-children"


def _needs(row: dict[str, str]) -> Iterator[str]:
    if _watches_prices(row):
        yield "needs/price-sensitive"
    if _orders_from_home(row):
        yield "needs/convenience-seeker"
    if int(row["Complain"]) or int(row["NumStorePurchases"]) >= 8:
        yield "needs/service-seeker"
    if int(row["MntGoldProds"]) >= 100:
        yield "needs/status-seeker"


def _food(row: dict[str, str], day: dt.date, interests: list[str]) -> Iterator[str]:
    spend = sum(int(text) for column, text in row.items() if column.startswith("Mnt"))
    value = "gold" if spend >= 1000 else "silver" if spend >= 200 else "bronze"
    yield f"food/value-{value}"
    lapsing = int(row["Recency"]) > 60
    couple = MARITAL.get(row["Marital_Status"]) in ("married", "cohabiting")
    rich = (_income(row) or 0) >= 65_000
    conditions = {
        "wine-lovers": "wine" in interests,
        "affluent-wine-lovers": "wine" in interests and rich,
        "families-on-a-budget": _children(row) > 0 and _watches_prices(row),
        "silver-surfers": age(row, day) >= 60 and _orders_from_home(row),
        "couples-without-children": couple and not _children(row),
        "lapsing": lapsing,
        "win-back": lapsing and value == "gold",
        "window-shoppers": int(row["NumWebVisitsMonth"]) >= 7 and value == "bronze",
        "joined-2014": row["Dt_Customer"].endswith("-2014"),
    }
    yield from (f"food/{name}" for name, holds in conditions.items() if holds)


def _below(number: float, limits: list[tuple[int, str]], top: str) -> str:
    return next((name for limit, name in limits if number < limit), top)


def _income(row: dict[str, str]) -> int | None:
    return None if row["Income"] in ("", "666666") else int(row["Income"])


def _children(row: dict[str, str]) -> int:
    return int(row["Kidhome"]) + int(row["Teenhome"])


def _watches_prices(row: dict[str, str]) -> bool:
    return int(row["NumDealsPurchases"]) >= 4


def _orders_from_home(row: dict[str, str]) -> bool:
    return int(row["NumWebPurchases"]) + int(row["NumCatalogPurchases"]) > int(row["NumStorePurchases"])
