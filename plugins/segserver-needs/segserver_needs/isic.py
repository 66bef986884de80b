"""The industries of business customers, by default the sections of the United Nations' classification."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from segserver.strategies.api import Settings
from segserver.strategies.cel import Label


def _ascending(divisions: tuple[int, int]) -> tuple[int, int]:
    first, last = divisions
    if not 1 <= first <= last <= 99:
        raise ValueError("divisions are the first and the last of a range within 1 to 99")
    return divisions


class Industry(Settings):
    """One industry: a name, and what an industry code or a label must be to mean it."""

    label: Label
    section: str = Field(default="", pattern="^[A-Z]?$")
    """The section's letter, when the industry is a whole section."""
    divisions: Annotated[tuple[int, int], AfterValidator(_ascending)] | None = None
    """First and last division: the two leading digits of an industry code."""
    spellings: tuple[str, ...] = ()
    """Texts of the attribute ``industry`` that mean it."""


def _section(letter: str, first: int, last: int, label: str, *spellings: str) -> Industry:
    return Industry(label=label, section=letter, divisions=(first, last), spellings=spellings)


SECTIONS = (
    _section("A", 1, 3, "agriculture", "farming", "forestry", "fishing"),
    _section("B", 5, 9, "mining", "quarrying", "oil and gas"),
    _section("C", 10, 33, "manufacturing", "production", "industry"),
    _section("D", 35, 35, "energy", "electricity", "utilities"),
    _section("E", 36, 39, "water-and-waste", "water", "waste management", "recycling"),
    _section("F", 41, 43, "construction", "building"),
    _section("G", 45, 47, "trade", "retail", "wholesale", "commerce", "e-commerce"),
    _section("H", 49, 53, "transport", "logistics", "postal"),
    _section("I", 55, 56, "hospitality", "hotels", "restaurants", "accommodation"),
    _section("J", 58, 63, "information-and-communication", "software", "it", "media", "telecommunications"),
    _section("K", 64, 66, "finance", "banking", "insurance"),
    _section("L", 68, 68, "real-estate", "real estate", "property"),
    _section("M", 69, 75, "professional-services", "consulting", "legal", "engineering", "research"),
    _section("N", 77, 82, "administrative-services", "staffing", "facility management", "travel agencies"),
    _section("O", 84, 84, "public-administration", "government", "public sector", "defence"),
    _section("P", 85, 85, "education", "schools", "universities"),
    _section("Q", 86, 88, "health-and-social-work", "healthcare", "hospitals", "social work"),
    _section("R", 90, 93, "arts-and-recreation", "arts", "entertainment", "sports"),
    _section("S", 94, 96, "other-services", "associations", "repair", "personal services"),
    _section("T", 97, 98, "households", "domestic employers"),
    _section("U", 99, 99, "extraterritorial", "embassies", "international organizations"),
)
"""Sections A to U with their divisions. Source: United Nations, International Standard Industrial
Classification of All Economic Activities, Rev. 4, 2008. NACE Rev. 2 has the same sections and divisions."""
