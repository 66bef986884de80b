"""Names that look alike, for the people who mistyped one."""

from __future__ import annotations

from collections.abc import Iterable

from rapidfuzz import process
from rapidfuzz.distance import Indel

NAMES_MAX = 5_000
"""Beyond this many known names the comparison would cost more than the hint is worth: 3 ms on the event
loop.
"""
CHARACTERS_MAX = 200
LIKENESS_MIN = 0.6


def close_to(name: str, known: Iterable[str]) -> list[str]:
    """At most three known names that look like ``name``, the nearest first."""
    found = process.extract(
        name[:CHARACTERS_MAX],
        list(known)[:NAMES_MAX],
        scorer=Indel.normalized_similarity,
        limit=3,
        score_cutoff=LIKENESS_MIN,
    )
    return [near for near, _, _ in found]


def near(name: str, known: Iterable[str]) -> str:
    """``; did you mean …?`` when some known names look like ``name``, else nothing."""
    found = close_to(name, known)
    return f"; did you mean {' or '.join(found)}?" if found else ""
