"""Names that look alike, for the people who mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

NAMES_MAX = 5_000
"""Beyond this many known names the comparison would cost more than the hint is worth."""


def close_to(name: str, known: Iterable[str]) -> list[str]:
    """At most three known names that look like ``name``, the nearest first."""
    names = list(known)[:NAMES_MAX]
    return difflib.get_close_matches(name[:200], names, n=3, cutoff=0.6)


def near(name: str, known: Iterable[str]) -> str:
    """``; did you mean …?`` when some known names look like ``name``, else nothing."""
    found = close_to(name, known)
    return f"; did you mean {' or '.join(found)}?" if found else ""
