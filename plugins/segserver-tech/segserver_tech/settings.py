"""The settings of the tech strategy: every list, limit and band, which a catalog may override."""

from pydantic import Field, model_validator

from segserver.strategies.api import Settings
from segserver.strategies.cel import Band, Bands, Label, Spellings
from segserver_tech.defaults import (
    BROWSER_TOKENS,
    BROWSERS,
    DEVICE_RULES,
    SIGNALS,
    SYSTEM_TOKENS,
    SYSTEMS,
)
from segserver_tech.vocabulary import DeviceRule, Names, Signal, Token


class TechSettings(Settings):
    """The settings of the tech strategy."""

    user_agent_length_max: int = Field(default=1024, ge=64, le=8192)
    """Only so many characters of a User-Agent are read: what tells a device stands at its beginning."""

    device_rules: tuple[DeviceRule, ...] = DEVICE_RULES
    """The first that matches decides; none: the User-Agent does not tell."""

    system_tokens: tuple[Token, ...] = SYSTEM_TOKENS
    """Asked in order, before or after ua-parser."""

    browser_tokens: tuple[Token, ...] = BROWSER_TOKENS
    """Asked in order, before or after ua-parser."""

    operating_systems: Spellings = Field(default=SYSTEMS, validate_default=True)
    browsers: Spellings = Field(default=BROWSERS, validate_default=True)
    legacy_browsers: tuple[Label, ...] = ("internet-explorer", "netscape")

    mac_systems: tuple[Label, ...] = ("macos",)
    pc_systems: tuple[Label, ...] = ("windows", "linux", "chrome-os", "bsd")

    own_apps: Names = ()
    """The names of our apps among ``installed_apps``; none given: every app listed there is ours."""

    cloud_tools: Names = (
        *(
            "google workspace",
            "google docs",
            "microsoft 365",
            "salesforce",
            "hubspot",
            "slack",
            "notion",
            "zoom",
        ),
        *(
            "dropbox",
            "canva",
            "figma",
            "shopify",
            "mailchimp",
            "jira",
            "github",
            "gitlab",
            "xero",
            "asana",
            "trello",
        ),
    )
    installed_tools: Names = (
        *(
            "microsoft office",
            "excel",
            "word",
            "outlook",
            "photoshop",
            "autocad",
            "quickbooks desktop",
            "sap gui",
        ),
        *(
            "libreoffice",
            "visual studio",
            "visual studio code",
            "intellij idea",
            "matlab",
            "spss",
            "thunderbird",
        ),
    )

    signals: tuple[Signal, ...] = SIGNALS
    """Each that applies adds its points, once, to the proficiency score."""

    proficiency_bands: Bands = (
        Band(label="novice", below=0),
        Band(label="standard", below=2),
        Band(label="advanced", below=4),
        Band(label="expert"),
    )
    """Bands of the score. By default no signal takes points away, so only a statement says novice."""

    savvy_levels: tuple[Label, ...] = ("advanced", "expert")

    @model_validator(mode="after")
    def _lists_name_labels(self) -> "TechSettings":
        labels = {
            "mac_systems": (self.mac_systems, self.operating_systems),
            "pc_systems": (self.pc_systems, self.operating_systems),
            "legacy_browsers": (self.legacy_browsers, self.browsers),
            "savvy_levels": (self.savvy_levels, [band.label for band in self.proficiency_bands]),
        }
        for field, (names, known) in labels.items():
            if strangers := [name for name in names if name not in known]:
                raise ValueError(f"{field} names {', '.join(strangers)}, which no label is called")
        if both := set(self.mac_systems) & set(self.pc_systems):
            raise ValueError(f"mac_systems and pc_systems both name {', '.join(sorted(both))}")
        return self
