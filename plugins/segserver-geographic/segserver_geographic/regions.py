"""The regions and sub-regions of UN M49, as labels made of their English names."""

SUBREGIONS: dict[str, str] = {
    "northern-africa": "africa",
    "sub-saharan-africa": "africa",
    "latin-america-and-the-caribbean": "americas",
    "northern-america": "americas",
    "central-asia": "asia",
    "eastern-asia": "asia",
    "south-eastern-asia": "asia",
    "southern-asia": "asia",
    "western-asia": "asia",
    "eastern-europe": "europe",
    "northern-europe": "europe",
    "southern-europe": "europe",
    "western-europe": "europe",
    "australia-and-new-zealand": "oceania",
    "melanesia": "oceania",
    "micronesia": "oceania",
    "polynesia": "oceania",
}
"""Sub-region → its region."""

REGIONS = tuple(dict.fromkeys(SUBREGIONS.values()))


def is_subregion(name: str) -> str:
    """``name``, or a ``ValueError`` when UN M49 has no such sub-region."""
    if name not in SUBREGIONS:
        raise ValueError(f"{name!r} is no sub-region of UN M49; use one of {', '.join(SUBREGIONS)}")
    return name
