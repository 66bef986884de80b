"""The words that the settings of the tech strategy are made of."""

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from segserver.strategies.api import Settings
from segserver.strategies.cel import folded

DeviceType = Literal["phone", "tablet", "desktop", "tv", "console", "bot"]
DEVICE_TYPES: tuple[DeviceType, ...] = get_args(DeviceType)


def _folded(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for text in names if (name := folded(text))))


Names = Annotated[tuple[str, ...], AfterValidator(_folded)]
"""Names compared without regard to (ASCII) case and the white space around them."""


def _tokens(names: tuple[str, ...]) -> tuple[str, ...]:
    if not all(name.strip() for name in names):
        raise ValueError("an empty token would match every User-Agent")
    return tuple(dict.fromkeys(name.lower() for name in names))


Tokens = Annotated[tuple[str, ...], AfterValidator(_tokens)]
"""Pieces of a User-Agent, compared without regard to case; white space in them counts."""


class DeviceRule(Settings):
    """When a User-Agent means a type of device.

    A list that is given matches when any of its items does; the rule matches when every given list does, and
    no token of ``without`` is present. ``devices`` and ``systems`` are families as ua-parser names them.
    """

    device_type: DeviceType
    devices: Names = ()
    systems: Names = ()
    tokens: Tokens = ()
    without: Tokens = ()

    @model_validator(mode="after")
    def _says_something(self) -> "DeviceRule":
        if not (self.devices or self.systems or self.tokens):
            raise ValueError("give devices, systems or tokens: the rule would match everything")
        return self


class Token(Settings):
    """A piece of a User-Agent, in any case, that names a system or browser. It is asked before ua-parser when
    ``first``, else where ua-parser knows none."""

    text: Annotated[str, Field(min_length=1), AfterValidator(str.lower)]
    name: Annotated[str, Field(min_length=1)]
    without: Tokens = ()
    first: bool = False

    def is_in(self, lowered: str) -> bool:
        """Whether the lower-case User-Agent has the text, and none of ``without``."""
        return self.text in lowered and not any(token in lowered for token in self.without)


class Signal(Settings):
    """Points of proficiency for who uses one of these: labels of systems and browsers, names of tools."""

    points: int
    systems: Names = ()
    browsers: Names = ()
    tools: Names = ()
