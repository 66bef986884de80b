"""What to write instead, for the slips of people who know SQL, Python or JavaScript better than CEL."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

MACROS = ("exists", "all", "exists_one", "map", "filter")

_PLAIN = {
    " (in container '')": "",
    "google.protobuf.Timestamp": "timestamp",
    "google.protobuf.Duration": "duration",
    "null_type": "null",
}
_OTHERWISE = {
    **dict.fromkeys(("len", "length", "count", "strlen"), "size"),
    **dict.fromkeys(("lower", "tolower", "lowercase", "lcase"), "lowerAscii"),
    **dict.fromkeys(("upper", "toupper", "uppercase", "ucase"), "upperAscii"),
    **dict.fromkeys(("strip", "ltrim", "rtrim"), "trim"),
    **dict.fromkeys(("includes", "has_text"), "contains"),
    **dict.fromkeys(("date", "datetime", "todate"), "timestamp"),
    **dict.fromkeys(("interval", "timedelta"), "duration"),
    **dict.fromkeys(("str", "tostring"), "string"),
    **dict.fromkeys(("float", "number", "tonumber"), "double"),
    **dict.fromkeys(("any", "some"), "exists"),
    **dict.fromkeys(("every",), "all"),
    **dict.fromkeys(("exist", "isnull", "is_null", "isset", "defined", "coalesce"), "known"),
    **dict.fromkeys(("year", "getyear"), "getFullYear"),
    **dict.fromkeys(("today", "current_date", "current_timestamp"), "now"),
}
"""What others call it, in lower case → CEL's name."""

_CONSTANTS = {"none": "known(x)", "nil": "known(x)", "null": "known(x)", "true": "true", "false": "false"}
_WORDS = {
    "and": "write &&",
    "or": "write ||",
    "not": "write !(x in y)",
    "is": "write ==, or known(x)",
    "like": "write contains, startsWith, endsWith or matches",
    "between": "write x >= low && x <= high",
    "if": "write condition ? x : y",
}
_TOKENS = {"=": "write ==", "&": "write &&", "|": "write ||"}
_NO_OVERLOAD = re.compile(r"no matching overload for '([^']+)' applied to '\((.+)\)'")
_UNDECLARED = re.compile(r"undeclared reference to '([^']+)'")
_INT_BEHIND = re.compile(r"(?:[<>=!]=|[<>+*/%-])\s*(-?[0-9]+)(?![0-9.eu])")
_INT_BEFORE = re.compile(r"(?<![\w.])([0-9]+)\s*$")
_COMPARISONS = ("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_")


def explained(
    message: str, expression: str, line: int, column: int, forms: Mapping[str, Sequence[str]]
) -> str:
    """CEL's message, in the words of this server, and a hint behind ``;`` where there is one.

    ``forms`` are the functions' names with the ways to call each.
    """
    found = hint(message, expression, line, column, forms)
    for foreign, ours in _PLAIN.items():
        message = message.replace(foreign, ours)
    return f"{message}; {found}" if found else message


def hint(message: str, expression: str, line: int, column: int, forms: Mapping[str, Sequence[str]]) -> str:
    """What to write instead, or an empty text."""
    lines = expression.split("\n")
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    before, behind = text[: column - 1], text[column - 1 :]
    if wrong := _NO_OVERLOAD.search(message):
        return _types(wrong[1], wrong[2].split(", "), before, behind)
    if wrong := _UNDECLARED.search(message):
        return _name(wrong[1], behind, forms)
    if message.startswith("has() argument"):
        return "write known(x)"
    if message.startswith("reserved identifier"):
        return _WORDS.get(message.rpartition(" ")[2], "")
    return _syntax(before, behind) if message.startswith("Syntax error") else ""


def _types(operator: str, types: Sequence[str], before: str, behind: str) -> str:
    kinds = set(types)
    compared = operator in _COMPARISONS
    if "null_type" in kinds and compared:
        return "write known(x) for a value that is there, !known(x) for one that is not"
    if kinds == {"int", "double"} and operator != "@in":
        number = _INT_BEHIND.match(behind) if types[-1] == "int" else _INT_BEFORE.search(before)
        return f"write {number[1]}.0" if number else "turn the int into a double: double(x)"
    if compared and kinds == {"google.protobuf.Timestamp", "string"}:
        return 'write the time as timestamp("2026-03-01T00:00:00Z")'
    if compared and "google.protobuf.Duration" in kinds:
        return 'write the duration as duration("720h")'
    if compared and types[0] == "bool":
        return "write a bool without a comparison, as x or !x"
    if operator == "@in" and types[1] == "string":
        return "write text.contains(part) for a part of a text"
    return ""


def _name(name: str, behind: str, forms: Mapping[str, Sequence[str]]) -> str:
    """A hint for an unknown name; near variables are for those who know which there are."""
    if name in forms:
        return f"it takes other arguments: {', '.join(forms[name])}"
    if name.lower() in _CONSTANTS:
        return f"write {_CONSTANTS[name.lower()]}"
    last = name.rpartition(".")[2]
    better = _OTHERWISE.get(last.lower())
    if better == "now":
        return "write now"
    if not behind.startswith("("):
        return ""
    if better is None:
        near = difflib.get_close_matches(last, [*forms, *MACROS], n=1, cutoff=0.7)
        if not near:
            return ""
        better = near[0]
    return f"write {forms[better][0] if better in forms else f'list.{better}(x, condition)'}"


def _syntax(before: str, behind: str) -> str:
    word = re.match(r"[A-Za-z]+", behind)
    if word and word[0].lower() in _WORDS:
        return _WORDS[word[0].lower()]
    if re.search(r"<\s*$", before) and behind.startswith(">"):
        return "write !="
    if re.search(r"(?<!\w)not\s*$", before, re.IGNORECASE):
        return "write !"
    return _TOKENS.get(behind[:1], "")
