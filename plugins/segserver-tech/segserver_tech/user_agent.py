"""Reads a User-Agent: pure functions of the text and the settings, in time linear in its length.

ua-parser supplies the patterns; its Rust resolver runs them as finite automata. Its other resolvers are not
used, because both hand a match to Python's backtracking ``re`` (docs/adr/0003-reference-data.md).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from ua_parser.core import Domain, PartialResult, Resolver
from ua_parser.loaders import load_lazy_builtins
from ua_parser.regex import Resolver as AutomatonResolver

from segserver.strategies.cel import folded
from segserver_tech.settings import TechSettings
from segserver_tech.vocabulary import DeviceRule, Token

PARSED_MAX = 4096
"""User-Agents whose families are remembered, for each of the three domains. None is linked to a subject."""

_Parse: TypeAlias = Callable[[str], tuple[str | None, str | None]]
"""From a header to a family and its version."""

_resolvers: dict[Domain, Resolver] = {}
_building = threading.Lock()


def browser(settings: TechSettings, user_agent: str) -> str | None:
    """The browser's family as ua-parser names it, or as ``browser_tokens`` tell, or ``None``."""
    text = _bounded(settings, user_agent)
    return _family(settings.browser_tokens, text, _browser)


def browser_version(settings: TechSettings, user_agent: str) -> str | None:
    """The browser's version, ``118.0.1``, as far as the User-Agent gives it, or ``None``."""
    return _named(_browser(_bounded(settings, user_agent))[1])


def operating_system(settings: TechSettings, user_agent: str) -> str | None:
    """The system's family as ua-parser names it, or as ``system_tokens`` tell, or ``None``."""
    text = _bounded(settings, user_agent)
    return _family(settings.system_tokens, text, _system)


def operating_system_version(settings: TechSettings, user_agent: str) -> str | None:
    """The system's version, ``17.0.3`` or ``XP``, or ``None``."""
    return _named(_system(_bounded(settings, user_agent))[1])


def device_type(settings: TechSettings, user_agent: str) -> str | None:
    """The type of device by the first of ``device_rules`` that matches, or ``None``."""
    text = _bounded(settings, user_agent)
    system = folded(operating_system(settings, text) or "")
    device, lowered = folded(_device(text) or ""), text.lower()
    for rule in settings.device_rules:
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


def _family(tokens: Sequence[Token], text: str, parse: _Parse) -> str | None:
    return _told(tokens, text, first=True) or _named(parse(text)[0]) or _told(tokens, text, first=False)


def _told(tokens: Sequence[Token], text: str, *, first: bool) -> str | None:
    lowered = text.lower()
    return next((token.name for token in tokens if token.first is first and token.is_in(lowered)), None)


def _bounded(settings: TechSettings, user_agent: str) -> str:
    return user_agent[: settings.user_agent_length_max]


def _named(text: str | None) -> str | None:
    """ua-parser says ``Other`` for what it recognizes as nothing in particular."""
    return None if text in (None, "", "Other") else text


@lru_cache(PARSED_MAX)
def _browser(text: str) -> tuple[str | None, str | None]:
    found = _resolve(text, Domain.USER_AGENT).user_agent
    return (found.family, _version(found.major, found.minor, found.patch)) if found else (None, None)


@lru_cache(PARSED_MAX)
def _system(text: str) -> tuple[str | None, str | None]:
    found = _resolve(text, Domain.OS).os
    return (found.family, _version(found.major, found.minor, found.patch)) if found else (None, None)


@lru_cache(PARSED_MAX)
def _device(text: str) -> str | None:
    found = _resolve(text, Domain.DEVICE).device
    return found.family if found else None


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
