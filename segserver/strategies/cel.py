"""Writing CEL from settings: what a strategy's ``traits(settings)`` needs to turn bands and lists into rules.

Everything here returns CEL text; nothing evaluates it. Example::

    class LoyaltySettings(Settings):
        tiers: Bands = (Band(label="bronze", below=1000), Band(label="gold"))

    Trait("tier", "string", rule=band("points", settings.tiers), values=labels_of(settings.tiers))
"""

from __future__ import annotations

import json
import math
import re
import string
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field

from segserver.strategies.api import Settings

OTHER = "other"
"""What :func:`label` gives for a text that no list names."""

CHAIN_MAX = 8
"""Cases that :func:`choose` writes one inside the other."""

_LABEL = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def _checked_label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise ValueError(f"{text!r} is not a label: lower-case words and digits, joined by '-'")
    return text


def folded(text: str) -> str:
    """``text`` as :func:`label` compares it: without white space around it, ASCII letters in lower case."""
    return text.strip().translate(_TO_LOWER)


Label = Annotated[str, AfterValidator(_checked_label)]
"""A name that can end a segment's id: ``18-24``, ``lower-middle``."""


class Band(Settings):
    """One band of a number line: from where the band before it ends up to, and without, ``below``."""

    label: Label
    below: float | None = Field(default=None, allow_inf_nan=False)
    """The first value that is too high for this band; ``None``, only in the last band, means no limit."""


def _checked_bands(bands: tuple[Band, ...]) -> tuple[Band, ...]:
    limits = [band.below for band in bands[:-1]]
    if not bands or None in limits or bands[-1].below is not None:
        raise ValueError("every band but the last needs 'below', and the last has none")
    known = [limit for limit in limits if limit is not None]
    if any(left >= right for left, right in pairwise(known)):
        raise ValueError("the bands are not in ascending order of 'below'")
    if len({band.label for band in bands}) < len(bands):
        raise ValueError("two bands have one label")
    return bands


Bands = Annotated[tuple[Band, ...], AfterValidator(_checked_bands)]
"""Bands in ascending order. They cover the whole number line without gap or overlap, because each one begins
where the one before it ends."""


def _checked_spellings(table: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    owner: dict[str, str] = {}
    result = {}
    for name, spellings in table.items():
        _checked_label(name)
        result[name] = tuple(dict.fromkeys(folded(spelling) for spelling in (name, *spellings)))
        for spelling in result[name]:
            if owner.setdefault(spelling, name) != name:
                raise ValueError(f"{spelling!r} is listed under both {owner[spelling]!r} and {name!r}")
    return result


Spellings = Annotated[dict[str, tuple[str, ...]], AfterValidator(_checked_spellings)]
"""Label → the texts that mean it. A label always means itself; one text can't mean two labels; case (ASCII)
and white space around a text do not count."""


def _checked_time_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(
            f"{name!r} is not a time zone of the IANA database, such as Europe/Vienna"
        ) from error
    return name


TimeZone = Annotated[str, AfterValidator(_checked_time_zone)]
"""A name of the IANA time zone database."""


def literal(value: bool | int | float | str | Sequence[str]) -> str:
    """``value`` as a CEL literal. A float always becomes a double, because CEL never mixes int and double."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "[" + ", ".join(literal(item) for item in value) + "]"


def choose(cases: Iterable[tuple[str, str]], otherwise: str) -> str:
    """A chain of ``condition ? value :``, first match first, ending in ``otherwise``; all of it is CEL.

    CEL's parser refuses expressions nested deeper than 32, so a long chain is halved: if any condition of
    the first half holds, so does one before the rest. The answer is the same, also with unknown conditions.
    """
    cases = list(cases)
    if len(cases) <= CHAIN_MAX:
        return "(" + "".join(f"{condition} ? {value} : " for condition, value in cases) + otherwise + ")"
    first, rest = cases[: len(cases) // 2], cases[len(cases) // 2 :]
    in_first = " || ".join(condition for condition, _ in first)
    return f"(({in_first}) ? {choose(first, otherwise)} : {choose(rest, otherwise)})"


def band(expression: str, bands: Sequence[Band], *, integer: bool = False) -> str:
    """The label of the band in which ``expression`` lies, a double, or an int with ``integer``.

    A limit with a fraction, asked for an int, is rounded up: no int lies between the two.
    """
    cases = []
    for item in bands:
        if item.below is not None:
            limit = literal(math.ceil(item.below)) if integer else literal(item.below)
            cases.append((f"{expression} < {limit}", literal(item.label)))
    return choose(cases, literal(bands[-1].label))


def fold(expression: str) -> str:
    """CEL for :func:`folded`."""
    return f"{expression}.trim().lowerAscii()"


def label(expression: str, table: Mapping[str, Sequence[str]], *, otherwise: str = literal(OTHER)) -> str:
    """The label whose spellings hold the string ``expression``; ``otherwise`` (CEL) when no list names it."""
    text = fold(expression)
    return choose(
        ((f"{text} in {literal(list(spellings))}", literal(name)) for name, spellings in table.items()),
        otherwise,
    )


def labels_in(expression: str, table: Mapping[str, Sequence[str]], *, without: Sequence[str] = ()) -> str:
    """The list of string ``expression`` with each text replaced by its label, in the order given.

    A text that no list names stays, folded; texts in ``without`` (compared folded) are dropped.
    """
    result = f"{expression}.map(text, {fold('text')})"
    if without:
        result += f".filter(text, !(text in {literal([folded(text) for text in without])}))"
    if not table:
        return result
    cases = (
        (f"text in {literal(list(spellings))}", literal(name))
        for name, spellings in table.items()
        if tuple(spellings) != (name,)
    )
    return f"{result}.map(text, {choose(cases, 'text')})"


def labels_of(bands: Sequence[Band]) -> tuple[str, ...]:
    """The labels of ``bands``, in order."""
    return tuple(band.label for band in bands)


def at_least(minimum: int, sought: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Whether at least ``minimum`` of the sought labels are in their lists of string.

    ``sought`` pairs a list expression with the labels to look for in it; a label that a list holds twice
    counts once. Each list is tried alone before the sum, so that one list can settle the answer while
    another one is unknown.
    """
    counts = [
        _sum([f"({literal(name)} in {expression} ? 1 : 0)" for name in labels])
        for expression, labels in sought
        if labels
    ]
    if not counts:
        return literal(minimum <= 0)
    alone = [f"{count} >= {minimum}" for count in counts]
    together = [f"{_sum(counts)} >= {minimum}"] if len(counts) > 1 and minimum > 1 else []
    return "(" + " || ".join([*alone, *together]) + ")"


def _sum(terms: Sequence[str]) -> str:
    """The sum, in halves, so that a long one is not nested deeply."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    return f"({_sum(terms[:middle])} + {_sum(terms[middle:])})"
