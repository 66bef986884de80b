"""Reads a User-Agent: pure functions of the text and the settings, in time linear in its length.

ua-parser supplies the patterns; its Rust resolver runs them as finite automata. Its other resolvers are not
used, because both hand a match to Python's backtracking ``re`` (docs/adr/0003-reference-data.md).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from ua_parser.core import Domain, PartialResult, Resolver
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver as AutomatonResolver

from segserver.strategies.cel import folded
from segserver_tech.settings import TechSettings
from segserver_tech.vocabulary import DeviceRule, Token

HEADERS_MAX = 4096
"""Headers whose browser, system and device are remembered, by the header alone: no one is linked to it."""

Family: TypeAlias = tuple[str | None, str | None]
"""The name of a browser or system, and its version."""

_resolvers: dict[Domain, Resolver] = {}
_building = threading.Lock()


class UserAgentReader:
    """Reads headers under some settings. Safe to share between threads; a pickle holds the settings alone."""

    def __init__(self, settings: TechSettings) -> None:
        self._settings = settings
        self._browser = lru_cache(HEADERS_MAX)(self._find_browser)
        self._system = lru_cache(HEADERS_MAX)(self._find_system)
        self._device_type = lru_cache(HEADERS_MAX)(self._find_device_type)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._settings,)

    def browser(self, user_agent: str) -> str | None:
        """The browser's family as ua-parser names it, or as ``browser_tokens`` tell, or ``None``."""
        return self._browser(self._bounded(user_agent))[0]

    def browser_version(self, user_agent: str) -> str | None:
        """The browser's version, ``118.0.1``, as far as the header gives it, or ``None``."""
        return self._browser(self._bounded(user_agent))[1]

    def operating_system(self, user_agent: str) -> str | None:
        """The system's family as ua-parser names it, or as ``system_tokens`` tell, or ``None``."""
        return self._system(self._bounded(user_agent))[0]

    def operating_system_version(self, user_agent: str) -> str | None:
        """The system's version, ``17.0.3`` or ``XP``, or ``None``."""
        return self._system(self._bounded(user_agent))[1]

    def device_type(self, user_agent: str) -> str | None:
        """The type of device by the first of ``device_rules`` that matches, or ``None``."""
        return self._device_type(self._bounded(user_agent))

    def _bounded(self, user_agent: str) -> str:
        return user_agent[: self._settings.user_agent_length_max]

    def _find_browser(self, text: str) -> Family:
        found = _resolve(text, Domain.USER_AGENT).user_agent
        parsed = (found.family, _version(found.major, found.minor, found.patch)) if found else (None, None)
        return _family(self._settings.browser_tokens, text, parsed)

    def _find_system(self, text: str) -> Family:
        found = _resolve(text, Domain.OS).os
        parsed = (found.family, _version(found.major, found.minor, found.patch)) if found else (None, None)
        return _family(self._settings.system_tokens, text, parsed)

    def _find_device_type(self, text: str) -> str | None:
        found = _resolve(text, Domain.DEVICE).device
        device, system = folded(found.family if found else ""), folded(self._system(text)[0] or "")
        lowered = text.lower()
        for rule in self._settings.device_rules:
            if _matches(rule, device, system, lowered):
                return rule.device_type
        return None


def _matches(rule: DeviceRule, device: str, system: str, lowered: str) -> bool:
    if rule.devices and device not in rule.devices:
        return False
    if rule.systems and system not in rule.systems:
        return False
    if rule.tokens and not any(token in lowered for token in rule.tokens):
        return False
    return not any(token in lowered for token in rule.without)


def _family(tokens: Sequence[Token], text: str, parsed: Family) -> Family:
    """What the first tokens tell, else what ua-parser found, else what the other tokens tell. The version is
    ua-parser's in any case."""
    family = _told(tokens, text, first=True) or _named(parsed[0]) or _told(tokens, text, first=False)
    return family, _named(parsed[1])


def _told(tokens: Sequence[Token], text: str, *, first: bool) -> str | None:
    lowered = text.lower()
    return next((token.name for token in tokens if token.first is first and token.is_in(lowered)), None)


def _named(text: str | None) -> str | None:
    """ua-parser says ``Other`` for what it recognizes as nothing in particular."""
    return None if text in (None, "", "Other") else text


def _version(*parts: str | None) -> str:
    known = []
    for part in parts:
        if not part:
            break
        known.append(part)
    return ".".join(known)


def _resolve(text: str, domain: Domain) -> PartialResult:
    """The families of one domain. The first call for a domain builds its automaton (20 to 120 ms), once for
    all threads; importing the plugin, and a server whose segments read no User-Agent, pay nothing."""
    resolver = _resolvers.get(domain)
    if resolver is None:
        with _building:
            resolver = _resolvers.get(domain)
            if resolver is None:
                resolver = _resolvers[domain] = _build(domain)
    return resolver(text, domain)


def _build(domain: Domain) -> Resolver:
    browsers, systems, devices = load_lazy_builtins()
    if domain is Domain.USER_AGENT:
        return AutomatonResolver((browsers, [], []))
    if domain is Domain.OS:
        return AutomatonResolver(([], systems, []))
    return AutomatonResolver(([], [], devices))
