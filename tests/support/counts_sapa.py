"""Segment sizes of sapa_spi.csv, counted from the raw file with only ``csv`` and arithmetic.

They are the yardstick for the mapping, the strategies and the server, so nothing of the project is used here.
Which items a factor or facet has is read from the dictionary beside the file; only reversed ones are named.
"""

from __future__ import annotations

import csv
import datetime as dt
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

FILE = "sapa_spi.csv"
DICTIONARY = "sapa_spi_dictionary.csv"

FACTORS = {
    "Open": "openness",
    "Consc": "conscientiousness",
    "Extra": "extraversion",
    "Agree": "agreeableness",
    "Neuro": "neuroticism",
}
REVERSED = frozenset(
    [
        *("q_747", "q_904", "q_1254", "q_1444", "q_1452", "q_1483", "q_312", "q_565", "q_684", "q_901"),
        *("q_1027", "q_1923", "q_142", "q_501", "q_871", "q_1896", "q_4296", "q_176", "q_797", "q_1585"),
        *("q_1683", "q_1840", "q_607", "q_610", "q_612", "q_566", "q_689", "q_169"),
    ]
)
"""The items that say the opposite of what their factor or facet measures."""

REVERSED_IN_FACTOR_ONLY = {"q_747": "Conformity"}
"""To be thought mainstream is the opposite of openness, and a plain sign of conformity."""

Row = dict[str, str]


class Inventory:
    """The file with its dictionary."""

    def __init__(self, folder: Path) -> None:
        with (folder / FILE).open(encoding="utf-8", newline="") as file:
            self.rows = list(csv.DictReader(file))
        with (folder / DICTIONARY).open(encoding="utf-8", newline="") as file:
            items = [row for row in csv.DictReader(file) if row["item_id"].startswith("q_")]
        self.items = {
            **{name: [i["item_id"] for i in items if i["B5"] == code] for code, name in FACTORS.items()},
            **{
                facet: [i["item_id"] for i in items if i["L27"] == facet]
                for facet in {i["L27"] for i in items}
            },
        }
        self.norms = {
            name: (statistics.fmean(scores), statistics.stdev(scores))
            for name in FACTORS.values()
            for scores in [[self.mean(row, name) for row in self.rows]]
        }

    def answer(self, row: Row, scale: str, item: str) -> int:
        """The answer from 1 to 6, turned round where the item says the opposite of the scale."""
        turned = item in REVERSED and REVERSED_IN_FACTOR_ONLY.get(item) != scale
        return 7 - int(row[item]) if turned else int(row[item])

    def total(self, row: Row, scale: str) -> int:
        """The sum of the scale's answers."""
        return sum(self.answer(row, scale, item) for item in self.items[scale])

    def mean(self, row: Row, scale: str) -> float:
        """The mean of the scale's items, from 1 to 6."""
        return self.total(row, scale) / len(self.items[scale])

    def z(self, row: Row, factor: str) -> float:
        """Standard deviations above the mean of all rows."""
        mean, sd = self.norms[factor]
        return (self.mean(row, factor) - mean) / sd

    def sizes(self, day: dt.date) -> Counter[str]:
        """Segment id → members on ``day``, for every segment that has any."""
        return Counter(segment for row in self.rows for segment in self.segments(row, day))

    def segments(self, row: Row, day: dt.date) -> Iterator[str]:
        """The ids of the segments that the row's person is in."""
        yield from _demographic(row, day)
        z = {factor: self.z(row, factor) for factor in FACTORS.values()}
        leading = max(z, key=z.__getitem__)
        leading = leading if z[leading] >= 0.5 else "balanced"
        if leading != "neuroticism":
            yield f"psychographic/personality-{leading}"
        art = self.total(row, "ArtAppreciation") >= 24
        adventure = self.total(row, "SensationSeeking") >= 20
        values = set(self.values(row))
        thrifty = self.total(row, "SelfControl") >= 22
        seeks_quality = sum(int(row[i]) for i in ("q_530", "q_1694", "q_1915")) >= 15
        adventurous = (adventure and "stimulation" in values) or (
            z["openness"] >= 0.5 and z["extraversion"] >= 1.0
        )
        young = 18 <= age(row, day) < 30
        conditions = {
            "psychographic/interest-art": art,
            "psychographic/interest-adventure": adventure,
            "psychographic/adventure-seeker": adventurous,
            "needs/price-sensitive": thrifty,
            "needs/quality-seeker": seeks_quality,
            "events/art-lovers": art,
            "events/young-explorers": young and adventurous,
            "events/curious-graduates": _education(row) == "high" and z["openness"] >= 1.0,
            "events/good-hosts": z["extraversion"] >= 0.5 and z["agreeableness"] >= 0.5,
            "events/thrifty-planners": leading == "conscientiousness" and thrifty,
            "events/quiet-galleries": art and z["extraversion"] < -0.5,
        }
        yield from (name for name, holds in conditions.items() if holds)
        milieu = _milieu(_education(row), values)
        if milieu:
            yield f"psychographic/milieu-{milieu}"

    def values(self, row: Row) -> Iterator[str]:
        """The values that the person's answers show."""
        least = {
            ("self-direction", "Creativity"): 25,
            ("stimulation", "Adaptability"): 24,
            ("achievement", "Industry"): 24,
            ("security", "Order"): 24,
            ("conformity", "Conformity"): 22,
            ("benevolence", "Compassion"): 27,
        }
        yield from (value for (value, facet), limit in least.items() if self.total(row, facet) >= limit)


def age(row: Row, day: dt.date) -> int:
    """Completed years on ``day`` of somebody who had the row's age on 1 January 2017, a birthday."""
    return int(row["age"]) + day.year - 2017


def _education(row: Row) -> str | None:
    if not row["education"]:
        return None
    level = int(float(row["education"]))
    return "low" if level == 1 else "medium" if level <= 4 else "high"


def _demographic(row: Row, day: dt.date) -> Iterator[str]:
    years, born = age(row, day), 2017 - int(row["age"])
    limits = [(18, "under-18"), (25, "18-24"), (35, "25-34"), (45, "35-44"), (55, "45-54"), (65, "55-64")]
    yield f"demographic/age-{next((name for limit, name in limits if years < limit), '65-plus')}"
    yield "demographic/adults" if years >= 18 else "demographic/minors"
    if day.month == 1:
        yield "demographic/birthday-this-month"
    first = {1901: "greatest", 1928: "silent", 1946: "baby-boomers", 1965: "x"}
    first |= {1981: "millennials", 1997: "z"}
    yield f"demographic/generation-{first[max(year for year in first if year <= born)]}"
    if row["sex"]:
        yield f"demographic/gender-{ {'1.0': 'male', '2.0': 'female'}[row['sex']] }"
    if row["education"]:
        yield f"demographic/education-{_education(row)}"


def _milieu(education: str | None, values: set[str]) -> str | None:
    """``None`` when the education is not known and decides."""
    keeping = values & {"conformity", "security", "tradition"}
    moving = values & {"self-direction", "stimulation", "universalism"}
    if education is None:
        return None if keeping or moving else "mainstream"
    if education == "high" and (keeping or moving):
        return "established" if keeping else "progressive"
    if keeping:
        return "traditional"
    return "experience-seeking" if moving else "mainstream"
