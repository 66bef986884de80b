"""Languages as BCP 47 tags."""

import langcodes

from segserver_geographic import countries
from segserver_geographic.settings import GeographicSettings

TAG_LENGTH_MAX = 64
"""BCP 47 asks for room for 35 characters; longer than this, a text is no tag that anybody uses."""


def canonical(tag: str) -> str | None:
    """The tag in the canonical form of RFC 5646, section 4.5 (``de-CH`` for ``DE_ch``), or ``None`` where the
    text is no valid tag, or names no language."""
    tag = tag.strip()
    if not tag or len(tag) > TAG_LENGTH_MAX or not langcodes.tag_is_valid(tag):
        return None
    standard = langcodes.standardize_tag(tag)
    return None if standard.partition("-")[0] in ("und", "mul", "mis", "zxx") else standard


def of_country(settings: GeographicSettings, country: str) -> str | None:
    """The language of the country by CLDR's likely subtags (``de-CH`` for Switzerland), or ``None``."""
    alpha_2 = countries.code(settings, country)
    if alpha_2 is None:
        return None
    likely = langcodes.Language.make(territory=alpha_2).maximize()
    return f"{likely.language}-{alpha_2}" if likely.language not in (None, "und") else None
