"""Which RE2 patterns Rust's regex engine (Polars) reads alike, and how they are written for it.

Both run in linear time and share most of their syntax, but Rust's ``\\d \\w \\s \\b`` are Unicode and RE2's
are ASCII, its classes have set operations, and each knows escapes that the other doesn't. So a pattern is
rewritten piece by piece from a list of pieces that mean the same in both; one unknown piece, and the
pattern is left to RE2.
"""

from __future__ import annotations

import re

_ASCII_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\x0C\r "}
_ESCAPES = {"n": r"\n", "t": r"\t", "r": r"\r", "f": r"\x0C", "a": r"\x07", "v": r"\x0B"}
_REPEAT = re.compile(r"(?:[*+?]|\{\d{1,4}(?:,\d{0,4})?\})\??")
_GROUP = re.compile(r"\((?:\?:|\?P<[A-Za-z_][A-Za-z0-9_]*>|(?!\?))")
_FLAGS = re.compile(r"\(\?i\)")
_SPECIAL = frozenset(r"\.+*?()|[]{}^$#&-~")
_REPEAT_MAX = 1000
"""RE2's limit of a counted repetition."""


def to_rust(pattern: str) -> str | None:
    """The pattern for Rust's engine, or ``None`` when it might mean something else there.

    The pattern must be valid RE2 (the checker's duty). A case-insensitive one must be ASCII, because the
    two libraries may carry different versions of Unicode's case folding.
    """
    folded = _FLAGS.match(pattern) is not None
    position = 4 if folded else 0
    if folded and not pattern.isascii():
        return None
    parts = ["(?i)" if folded else ""]
    while position < len(pattern):
        piece = _piece(pattern, position)
        if piece is None:
            return None
        text, position = piece
        parts.append(text)
    return "".join(parts)


def _piece(pattern: str, at: int) -> tuple[str, int] | None:
    character = pattern[at]
    if character == "\\":
        return _escape(pattern, at)
    if character == "[":
        return _bracket(pattern, at)
    if character == "(":
        group = _GROUP.match(pattern, at)
        return (group[0], group.end()) if group else None
    if character in "*+?{":
        repeat = _REPEAT.match(pattern, at)
        if repeat is None or any(int(n) > _REPEAT_MAX for n in re.findall(r"\d+", repeat[0])):
            return None
        return repeat[0], repeat.end()
    if character in ".|)^$":
        return character, at + 1
    return _literal(character), at + 1


def _escape(pattern: str, at: int) -> tuple[str, int] | None:
    following = pattern[at + 1 : at + 2]
    end = at + 2
    if following.lower() in _ASCII_CLASSES and following:
        negation = "^" if following.isupper() else ""
        return f"[{negation}{_ASCII_CLASSES[following.lower()]}]", end
    if following == "b":
        return r"(?-u:\b)", end
    if following == "A":
        return "^", end
    if following == "z":
        return "$", end
    return _single_escape(following, end)


def _single_escape(following: str, end: int) -> tuple[str, int] | None:
    if following in _ESCAPES:
        return _ESCAPES[following], end
    if following and following.isascii() and not following.isalnum() and following != "_":
        return _literal(following), end
    return None


def _bracket(pattern: str, at: int) -> tuple[str, int] | None:
    """A class of single characters, ranges and ``\\d \\w \\s``; anything else inside is left to RE2."""
    position = at + 1
    parts = ["["]
    if pattern[position : position + 1] == "^":
        parts.append("^")
        position += 1
    first = position
    while position < len(pattern):
        character = pattern[position]
        if character == "]" and position > first:
            return "".join([*parts, "]"]), position + 1
        item = _bracket_item(pattern, position)
        if item is None:
            return None
        text, position = item
        parts.append(text)
    return None


def _bracket_item(pattern: str, at: int) -> tuple[str, int] | None:
    if pattern[at] == "\\" and pattern[at + 1 : at + 2] in _ASCII_CLASSES and len(pattern) > at + 1:
        return _ASCII_CLASSES[pattern[at + 1]], at + 2
    low = _bracket_character(pattern, at)
    if low is None:
        return None
    text, position = low
    if pattern[position : position + 1] == "-" and pattern[position + 1 : position + 2] not in ("]", ""):
        high = _bracket_character(pattern, position + 1)
        return None if high is None else (f"{text}-{high[0]}", high[1])
    return text, position


def _bracket_character(pattern: str, at: int) -> tuple[str, int] | None:
    character = pattern[at : at + 1]
    if character == "\\":
        return _single_escape(pattern[at + 1 : at + 2], at + 2)
    if character == "[":
        return None
    return _literal(character), at + 1


def _literal(character: str) -> str:
    return f"\\{character}" if character in _SPECIAL else character
