"""The ready-made demographic segments.

There is none about religion: whoever may lawfully use one writes it, with its purposes, into a catalog.
"""

from __future__ import annotations

from collections.abc import Iterable

from segserver.strategies.api import Segment
from segserver.strategies.cel import labels_of, literal
from segserver_demographic.settings import DemographicSettings
from segserver_demographic.standards import ISCO_08
from segserver_demographic.traits import EDUCATION_GROUPS

OWNER = "segserver-demographic"


def segments(settings: DemographicSettings) -> list[Segment]:
    """The segments under these settings: one exclusive group for each trait with bands or a list."""
    currency = settings.currency
    return [
        *_group("age", "age_band", "Aged {}", labels_of(settings.age_bands)),
        *_group("generation", "generation", "Generation: {}", [g.label for g in settings.generations]),
        *_group("gender", "gender", "Gender: {}", settings.genders),
        *_group("income", "income_band", f"Income ({currency}): {{}}", labels_of(settings.income_bands)),
        *_group("education", "education_group", "Education: {}", EDUCATION_GROUPS),
        *_group("occupation", "occupation_group", "Occupation: {}", ISCO_08.values()),
        *_group("marital", "marital_status", "Marital status: {}", settings.marital_statuses),
        _single("adults", "Adults", "demographic.adult"),
        _single("minors", "Minors", "!demographic.adult"),
        _single("with-children", "Households with children", "demographic.household_with_children"),
        _single("without-children", "Households without children", "!demographic.household_with_children"),
        _single("birthday-this-month", "Birthday this month", "demographic.birthday_this_month"),
    ]


def _single(name: str, title: str, rule: str) -> Segment:
    return Segment(f"demographic/{name}", rule=rule, title=title, owner=OWNER, tags=("demographic",))


def _group(prefix: str, trait: str, title: str, labels: Iterable[str]) -> list[Segment]:
    return [
        Segment(
            f"demographic/{prefix}-{name}",
            rule=f"demographic.{trait} == {literal(name)}",
            title=title.format(name.replace("-", " ") if not name[0].isdigit() else name),
            owner=OWNER,
            tags=("demographic", prefix),
            exclusive_group=f"demographic-{prefix}",
            priority=position,
        )
        for position, name in enumerate(labels, start=1)
    ]
