"""The ready-made demographic segments.

There is none about religion: whoever may lawfully use one writes it, with its purposes, into a catalog.
"""

from __future__ import annotations

from segserver.strategies.api import Segment
from segserver.strategies.cel import labels_of
from segserver.strategies.ready_made import ReadyMade, titled
from segserver_demographic.settings import DemographicSettings
from segserver_demographic.standards import ISCO_08
from segserver_demographic.traits import EDUCATION_GROUPS

READY_MADE = ReadyMade("demographic", owner="segserver-demographic")


def segments(settings: DemographicSettings) -> list[Segment]:
    """The segments under these settings: one exclusive group for each trait with bands or a list."""
    currency = settings.currency
    return [
        *READY_MADE.each("age", "age_band", titled("Aged {}", labels_of(settings.age_bands))),
        *READY_MADE.each(
            "generation", "generation", titled("Generation: {}", [g.label for g in settings.generations])
        ),
        *READY_MADE.each("gender", "gender", titled("Gender: {}", settings.genders)),
        *READY_MADE.each(
            "income", "income_band", titled(f"Income ({currency}): {{}}", labels_of(settings.income_bands))
        ),
        *READY_MADE.each("education", "education_group", titled("Education: {}", EDUCATION_GROUPS)),
        *READY_MADE.each("occupation", "occupation_group", titled("Occupation: {}", ISCO_08.values())),
        *READY_MADE.each(
            "marital", "marital_status", titled("Marital status: {}", settings.marital_statuses)
        ),
        READY_MADE.one("adults", "Adults", "demographic.adult"),
        READY_MADE.one("minors", "Minors", "!demographic.adult"),
        READY_MADE.one("with-children", "Households with children", "demographic.household_with_children"),
        READY_MADE.one(
            "without-children", "Households without children", "!demographic.household_with_children"
        ),
        READY_MADE.one("birthday-this-month", "Birthday this month", "demographic.birthday_this_month"),
    ]
