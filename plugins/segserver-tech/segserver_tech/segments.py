"""The ready-made segments of the tech strategy."""

from segserver.strategies.api import Segment
from segserver.strategies.cel import literal
from segserver_tech.settings import TechSettings
from segserver_tech.vocabulary import DEVICE_TYPES


def segments(settings: TechSettings) -> list[Segment]:
    """One for each type of device, operating system and browser that the settings name, and the others."""
    return [
        *(_is("device", "device_type", name, f"Comes with a {name}") for name in DEVICE_TYPES),
        *(_is("os", "operating_system", name, f"Uses {name}") for name in settings.operating_systems),
        *(_is("browser", "browser", name, f"Browses with {name}") for name in settings.browsers),
        _is("machine", "mac_or_pc", "mac", "Mac users"),
        _is("machine", "mac_or_pc", "pc", "PC users"),
        _segment("app-installed", "tech.app_installed", "Has our app"),
        _segment("app-not-installed", "!tech.app_installed", "Does not have our app"),
        _segment("tools-cloud", 'tech.cloud_or_installed in ["cloud", "both"]', "Works with cloud tools"),
        _segment(
            "tools-installed",
            'tech.cloud_or_installed in ["installed", "both"]',
            "Works with installed tools",
        ),
        _segment(
            "legacy-browser",
            f"tech.browser in {literal(settings.legacy_browsers)}",
            "Browses with a browser that its maker gave up",
        ),
        _segment(
            "savvy",
            f"tech.technical_proficiency in {literal(settings.savvy_levels)}",
            "Technically proficient",
        ),
        _segment("novice", 'tech.technical_proficiency == "novice"', "Technical novices"),
    ]


def _is(group: str, trait: str, value: str, title: str) -> Segment:
    return _segment(f"{group}-{value}", f"tech.{trait} == {literal(value)}", title)


def _segment(name: str, rule: str, title: str) -> Segment:
    return Segment(f"tech/{name}", rule=rule, title=title, owner="segserver-tech", tags=("tech",))
