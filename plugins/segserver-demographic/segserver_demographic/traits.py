"""The demographic traits, all of them CEL written from the settings."""

from __future__ import annotations

from segserver.strategies.api import Trait
from segserver.strategies.cel import OTHER, band, choose, label, labels_of, literal
from segserver_demographic.settings import DemographicSettings
from segserver_demographic.standards import ISCED_2011, ISCO_08

IMPLAUSIBLE = "implausible"
EARLIER, LATER = "earlier", "later"

EDUCATION_GROUPS = {"low": ISCED_2011[:3], "medium": ISCED_2011[3:5], "high": ISCED_2011[5:]}
"""Eurostat's aggregates of ISCED 2011: levels 0 to 2, 3 and 4, 5 to 8."""


def traits(settings: DemographicSettings) -> list[Trait]:
    """The traits under these settings."""
    age_labels = labels_of(settings.age_bands)
    return [
        Trait("age", "int", "Age in completed years", rule=_age(settings)),
        Trait("age_band", "string", "Age band", rule=_age_band(settings), values=(*age_labels, IMPLAUSIBLE)),
        Trait("adult", "bool", "Of age", rule=f"demographic.age >= {settings.adult_age}"),
        Trait(
            "generation",
            "string",
            "Generation, by year of birth",
            rule=_generation(settings),
            values=(EARLIER, *(generation.label for generation in settings.generations), LATER),
        ),
        Trait(
            "birthday_this_month", "bool", "Has a birthday this month", rule=_birthday_this_month(settings)
        ),
        _labelled("gender", "Gender", settings.genders),
        Trait(
            "income_band",
            "string",
            f"Band of yearly household income in {settings.currency}",
            rule=band("income", settings.income_bands),
            values=labels_of(settings.income_bands),
        ),
        Trait(
            "education", "string", "ISCED 2011 level", rule=_education(settings), values=(*ISCED_2011, OTHER)
        ),
        Trait(
            "education_group",
            "string",
            "Education: low (ISCED 0 to 2), medium (3, 4), high (5 to 8)",
            rule=_education_group(),
            values=(*EDUCATION_GROUPS, OTHER),
        ),
        Trait(
            "occupation_group",
            "string",
            "ISCO-08 major group",
            rule=_occupation_group(settings),
            values=(*ISCO_08.values(), OTHER),
        ),
        _labelled("marital_status", "Marital status", settings.marital_statuses),
        Trait(
            "household_with_children", "bool", "Children live in the household", rule="children_at_home > 0"
        ),
        _labelled("religion", "Religion or belief", settings.religions, derives_special=True),
    ]


def _labelled(
    name: str, title: str, table: dict[str, tuple[str, ...]], *, derives_special: bool = False
) -> Trait:
    """A trait that brings the stated text of the attribute of the same name to the settings' list."""
    return Trait(
        name,
        "string",
        title,
        rule=label(name, table),
        values=(*table, OTHER),
        derives_special=derives_special,
    )


def _now(accessor: str, settings: DemographicSettings) -> str:
    zone = "" if settings.time_zone == "UTC" else literal(settings.time_zone)
    return f"now.{accessor}({zone})"


def _age(settings: DemographicSettings) -> str:
    """Completed years: the difference of the years, less one while this year's birthday is still to come.

    Days are compared as ``month * 100 + day`` with CEL's months from 0: 29 February is 129, 1 March 201.
    """
    year = _now("getFullYear", settings)
    today = f"{_now('getMonth', settings)} * 100 + {_now('getDate', settings)}"
    if settings.leap_day_birthday == "february-28":
        common_year = f"({year} % 4 != 0 || ({year} % 100 == 0 && {year} % 400 != 0))"
        today = f"(({today}) == 128 && {common_year} ? 129 : {today})"
    birthday = "birth_date.getMonth() * 100 + birth_date.getDate()"
    return f"{year} - birth_date.getFullYear() - ({today} < {birthday} ? 1 : 0)"


def _age_band(settings: DemographicSettings) -> str:
    implausible = f"demographic.age < 0 || demographic.age > {settings.oldest_age}"
    return choose(
        [(f"({implausible})", literal(IMPLAUSIBLE))],
        band("demographic.age", settings.age_bands, integer=True),
    )


def _generation(settings: DemographicSettings) -> str:
    year = "birth_date.getFullYear()"
    cases = [(f"{year} < {settings.generations[0].first_year}", literal(EARLIER))]
    cases += [(f"{year} <= {each.last_year}", literal(each.label)) for each in settings.generations]
    return choose(cases, literal(LATER))


def _birthday_this_month(settings: DemographicSettings) -> str:
    return f"birth_date.getMonth() == {_now('getMonth', settings)}"


def _education(settings: DemographicSettings) -> str:
    by_level = choose(
        ((f"education_level == {level}", literal(name)) for level, name in enumerate(ISCED_2011)),
        literal(OTHER),
    )
    return f"known(education_level) ? {by_level} : {label('education', settings.education_labels)}"


def _education_group() -> str:
    cases = (
        (f"demographic.education in {literal(list(levels))}", literal(name))
        for name, levels in EDUCATION_GROUPS.items()
    )
    return choose(cases, literal(OTHER))


def _occupation_group(settings: DemographicSettings) -> str:
    """From the code if there is one, else from the group's name. What is not a code becomes ``other``."""
    by_digit = (
        (f"occupation_code.startsWith({literal(digit)})", literal(name)) for digit, name in ISCO_08.items()
    )
    by_code = choose(
        [('!occupation_code.matches("^[0-9]{1,4}$")', literal(OTHER)), *by_digit], literal(OTHER)
    )
    return f"known(occupation_code) ? {by_code} : {label('occupation_group', settings.occupation_labels)}"
