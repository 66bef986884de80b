"""The nouns that every room shares. Values only: no I/O, no behaviour beyond checking themselves."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Literal, TypeAlias, get_args

from segserver.errors import InvalidInput

TypeName: TypeAlias = Literal["bool", "int", "double", "string", "timestamp", "list(string)"]
TYPE_NAMES: frozenset[str] = frozenset(get_args(TypeName))

Value: TypeAlias = bool | int | float | str | dt.datetime | tuple[str, ...]
"""What an attribute or a trait can hold. A timestamp is an aware datetime in UTC with microseconds."""

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""Attributes, traits, strategies, purposes: what CEL reads as one identifier."""

SEGMENT_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*(/[a-z][a-z0-9]*(-[a-z0-9]+)*)*")
"""``retail/lapsed-big-spender``: parts of lower-case words, joined by ``-``, separated by ``/``."""


class Category(StrEnum):
    """The privacy category of an attribute; it travels to every trait and segment derived from it."""

    IDENTIFIER = "identifier"
    CONTACT = "contact"
    DEMOGRAPHIC = "demographic"
    LOCATION = "location"
    FINANCIAL = "financial"
    BEHAVIORAL = "behavioral"
    TECHNICAL = "technical"
    PSYCHOGRAPHIC = "psychographic"
    SPECIAL = "special"
    """Racial or ethnic origin, political opinions, religion, health, …: GDPR art. 9(1)."""


class LegalBasis(StrEnum):
    """Why processing for a purpose is lawful: GDPR art. 6(1), the four that a company can rely on here."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGITIMATE_INTEREST = "legitimate_interest"
    LEGAL_OBLIGATION = "legal_obligation"


class Outcome(IntEnum):
    """The answer for one segment. The numbers are those of ``segserver.v1.Outcome``."""

    MEMBER = 1
    NOT_MEMBER = 2
    UNKNOWN = 3
    """Data are missing, and what is visible does not settle the rule."""
    WITHHELD = 4
    """Privacy hides an attribute that the rule depends on, and what is visible does not settle it."""


class Role(StrEnum):
    """What a caller may do; see ``rpc/guard.py`` for the table of methods."""

    EVALUATOR = "evaluator"
    WRITER = "writer"
    ANALYST = "analyst"
    OFFICER = "officer"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated service or person that calls.

    ``purposes`` are the purposes it may name; ``*`` stands for every purpose.
    """

    name: str
    roles: frozenset[Role]
    purposes: frozenset[str]

    def may_use(self, purpose: str) -> bool:
        """Whether the caller may ask for this purpose."""
        return "*" in self.purposes or purpose in self.purposes


@dataclass(frozen=True, slots=True)
class SubjectId:
    """A raw subject id, as the caller knows the person: PII, which never leaves ``privacy/``.

    ``type`` says how it is normalized before hashing: ``customer`` (opaque), ``email``, ``phone``, …
    Its ``repr`` hides the id, so that no log line or traceback shows one by accident.
    """

    type: str
    id: str

    def __repr__(self) -> str:
        return f"SubjectId(type={self.type!r}, id=<hidden>)"


def check_value(field: str, value: object, type_name: str) -> Value:
    """``value`` as a :data:`Value` of the named type, or :class:`InvalidInput` about ``field``.

    An int is taken for a double; nothing else is converted. NaN, infinities, int beyond 64 bits, text that is
    not valid Unicode, naive times and mixed lists are refused. The message never shows the value."""
    checked = _CHECKS[type_name](value)
    if checked is None:
        raise InvalidInput.of(
            field, f"expected {_EXPECTED[type_name]}, got {_describe(value)}", reason="VALUE_TYPE_MISMATCH"
        )
    return checked


def _describe(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "a double that is not finite"
    if isinstance(value, int) and not isinstance(value, bool) and not INT64_MIN <= value <= INT64_MAX:
        return "an integer beyond 64 bits"
    if isinstance(value, str) and not _is_text(value):
        return "text that is not valid Unicode"
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        return "a time without a time zone"
    return {
        bool: "bool",
        int: "int",
        float: "double",
        str: "string",
        dt.datetime: "timestamp",
        list: "list",
        tuple: "list",
        type(None): "nothing",
    }.get(type(value), type(value).__name__)


def _is_text(value: str) -> bool:
    """Whether ``value`` can be written as UTF-8; a lone surrogate can't."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _bool(value: object) -> Value | None:
    return value if isinstance(value, bool) else None


def _int(value: object) -> Value | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if INT64_MIN <= value <= INT64_MAX else None


def _double(value: object) -> Value | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _string(value: object) -> Value | None:
    return value if isinstance(value, str) and _is_text(value) else None


def _timestamp(value: object) -> Value | None:
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        return None
    try:
        return value.astimezone(dt.UTC)
    except OverflowError:
        return None


def _strings(value: object) -> Value | None:
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) and _is_text(v) for v in value):
        return None
    return tuple(value)


_CHECKS = {
    "bool": _bool,
    "int": _int,
    "double": _double,
    "string": _string,
    "timestamp": _timestamp,
    "list(string)": _strings,
}

_EXPECTED = {
    "bool": "bool",
    "int": "a 64-bit int",
    "double": "a finite double",
    "string": "string",
    "timestamp": "timestamp with a time zone",
    "list(string)": "list of string",
}
