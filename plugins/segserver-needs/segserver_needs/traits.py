"""The needs traits, all of them CEL written from the settings."""

from __future__ import annotations

from collections.abc import Sequence

from segserver.strategies.api import Trait
from segserver.strategies.cel import OTHER, at_least, choose, folded, label, labels_in, literal
from segserver_needs.isic import Industry
from segserver_needs.settings import NeedsSettings, Theme, trait_name


def traits(settings: NeedsSettings) -> list[Trait]:
    """The traits under these settings."""
    return [
        Trait(
            "pain_points",
            "list(string)",
            "Pain points, by the list's names",
            rule=labels_in("pain_points", settings.pain_points),
        ),
        Trait(
            "benefits",
            "list(string)",
            "Benefits sought, by the list's names",
            rule=labels_in("benefits_sought", settings.benefits),
        ),
        Trait(
            "main_challenge",
            "string",
            "Main challenge",
            rule=label("main_challenge", settings.challenges),
            values=(*settings.challenges, OTHER),
        ),
        Trait(
            "industry",
            "string",
            "Industry of the customer's employer",
            rule=_industry(settings.industries),
            values=(*(industry.label for industry in settings.industries), OTHER),
        ),
        Trait(
            "role",
            "string",
            "Role in a company's purchase",
            rule=label("job_role", settings.roles),
            values=(*settings.roles, OTHER),
        ),
        *(
            Trait(trait_name(name), "bool", theme.title or name, rule=_theme(theme))
            for name, theme in settings.themes.items()
        ),
    ]


def _industry(industries: Sequence[Industry]) -> str:
    """From the code (a section's letter, or two to four digits) if there is one, else from the label.

    Codes of digits are compared as text: ``1071`` lies from ``10`` up to, and without, ``34``, as its
    division does.
    """
    by_code = [
        (f"industry_code.trim().upperAscii() == {literal(industry.section)}", literal(industry.label))
        for industry in industries
        if industry.section
    ]
    by_code.append(('!industry_code.trim().matches("^[0-9]{2,4}$")', literal(OTHER)))
    by_code += [
        (_in_divisions(*industry.divisions), literal(industry.label))
        for industry in industries
        if industry.divisions is not None
    ]
    table = {each.label: [folded(text) for text in (each.label, *each.spellings)] for each in industries}
    return f"known(industry_code) ? {choose(by_code, literal(OTHER))} : {label('industry', table)}"


def _in_divisions(first: int, last: int) -> str:
    code = "industry_code.trim()"
    after = ":" if last == 99 else f"{last + 1:02}"  # ":" follows "9" in ASCII: no code of digits reaches it
    return f"({code} >= {literal(f'{first:02}')} && {code} < {literal(after)})"


def _theme(theme: Theme) -> str:
    return at_least(
        theme.minimum_matches, [("needs.pain_points", theme.pain_points), ("needs.benefits", theme.benefits)]
    )
