"""String functions on values in rule form, as CEL's standard library and its strings extension do them.

Positions count code points. ``None`` is an error. In one place we follow CEL's documentation and not the
C++ library: ``"abc".substring(0, 3)`` is ``"abc"``, where the library (0.1.3 of the wheel) reports an error
for an ``end`` at the end of the text.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import lru_cache

import re2

WHITESPACE = (
    "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
"""What ``trim`` removes: Unicode's White_Space, which is less than Python's ``strip`` takes."""

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.never_capture = True


def lower_ascii(text: str) -> str:
    """The text with A to Z in lower case."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def upper_ascii(text: str) -> str:
    """The text with a to z in upper case."""
    return text.upper() if text.isascii() else text.translate(_UPPER)


def trim(text: str) -> str:
    """The text without white space at its ends."""
    return text.strip(WHITESPACE)


def split(text: str, separator: str, limit: int = -1) -> tuple[str, ...]:
    """The parts between separators, at most ``limit`` (negative: all); an empty separator splits into
    characters.
    """
    if limit == 0:
        return ()
    if separator:
        return tuple(text.split(separator, -1 if limit < 0 else limit - 1))
    if limit < 0 or limit >= len(text):
        return tuple(text) or ("",)
    return (*text[: limit - 1], text[limit - 1 :])


def replace(text: str, old: str, new: str, limit: int = -1) -> str:
    """The text with the first ``limit`` occurrences replaced (negative: all); an empty ``old`` is between
    characters.
    """
    return text.replace(old, new, max(limit, -1))


def substring(text: str, start: int, end: int | None = None) -> str | None:
    """The code points from ``start`` to before ``end``."""
    end = len(text) if end is None else end
    return text[start:end] if 0 <= start <= end <= len(text) else None


def index_of(text: str, part: str, start: int = 0) -> int | None:
    """Where ``part`` first occurs at or after ``start``, or -1."""
    return text.find(part, start) if 0 <= start <= len(text) else None


def regex_error(pattern: str) -> str | None:
    """What is wrong with a regular expression of RE2's syntax, if anything."""
    try:
        re2.compile(pattern, options=_OPTIONS)
    except re2.error as error:
        reason = error.args[0]
        return reason.decode() if isinstance(reason, bytes) else str(reason)
    return None


@lru_cache(maxsize=1024)
def matcher(pattern: str) -> Callable[[str], bool] | None:
    """A function that says whether the pattern matches a part of a text, in linear time; ``None`` when it is
    malformed.

    Searching bytes costs a third of searching text, for which the library converts positions that we don't
    need.
    """
    if regex_error(pattern) is not None:
        return None
    search = re2.compile(pattern, options=_OPTIONS).search
    return lambda text: search(text.encode()) is not None


def matches(text: str, pattern: str) -> bool | None:
    """Whether the pattern matches a part of the text."""
    match = matcher(pattern)
    return None if match is None else match(text)
