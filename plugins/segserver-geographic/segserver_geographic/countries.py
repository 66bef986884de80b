"""Countries (ISO 3166-1), their regions (UN M49) and their likely languages (CLDR)."""

from dataclasses import dataclass

from segserver_geographic.reference import key, once
from segserver_geographic.regions import SUBREGIONS
from segserver_geographic.settings import GeographicSettings


@dataclass(frozen=True, slots=True)
class _Atlas:
    names: dict[str, str]
    """What a country is called (a key), in ISO's codes and in names → its alpha-2 code."""
    subregions: dict[str, str]
    """Alpha-2 code → sub-region; Antarctica has none."""


def code(settings: GeographicSettings, country: str) -> str | None:
    """The alpha-2 code of the country that ``country`` names or codes, or ``None``."""
    wanted = key(country)
    if not wanted:
        return None
    for alpha_2, names in settings.country_names.items():
        if wanted in names:
            return alpha_2
    return _atlas().names.get(wanted)


def world_region(settings: GeographicSettings, country: str) -> str | None:
    """The region of UN M49 that the country lies in, or ``None``."""
    return SUBREGIONS.get(subregion(settings, country) or "")


def subregion(settings: GeographicSettings, country: str) -> str | None:
    """The sub-region of UN M49 that the country lies in, or ``None``."""
    alpha_2 = code(settings, country) or ""
    return settings.country_subregions.get(alpha_2) or _atlas().subregions.get(alpha_2)


def exists(alpha_2: str) -> bool:
    """Whether ISO 3166-1 assigns this alpha-2 code."""
    return _atlas().names.get(key(alpha_2)) == alpha_2


@once
def _atlas() -> _Atlas:
    import pycountry
    from countryinfo import all_countries

    # Codes and ISO's own names come first: no nickname may take a name away from the country that bears it.
    names = {
        key(getattr(c, field)): c.alpha_2
        for c in pycountry.countries
        for field in ("alpha_2", "alpha_3", "numeric")
    }
    codes = set(names.values())
    for country in pycountry.countries:
        for name in (
            country.name,
            getattr(country, "common_name", ""),
            getattr(country, "official_name", ""),
        ):
            names.setdefault(key(name), country.alpha_2)
            names.setdefault(key(_uninverted(name)), country.alpha_2)
    subregions: dict[str, str] = {}
    nicknames: dict[str, set[str]] = {}
    for info in all_countries():
        alpha_2 = info.iso()["alpha2"]
        if alpha_2 in codes:
            # England and others have records of their own under their country's code, without a region.
            if (label := _label(info.subregion())) in SUBREGIONS:
                subregions.setdefault(alpha_2, label)
            for name in (info.name(), *info.alt_spellings()):
                nicknames.setdefault(key(name), set()).add(alpha_2)
    for name, owners in nicknames.items():
        if len(owners) == 1:
            names.setdefault(name, min(owners))
    names.pop("", None)
    return _Atlas(names, subregions)


def _uninverted(name: str) -> str:
    """ISO writes "Korea, Republic of"; people write "Republic of Korea"."""
    head, comma, tail = name.partition(", ")
    return f"{tail} {head}" if comma else name


def _label(name: str | None) -> str:
    return key(name or "").replace(" ", "-")
