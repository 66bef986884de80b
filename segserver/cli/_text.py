"""Text as typed values, for the command line and for files of text."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from segserver.errors import InvalidInput, NotFound
from segserver.model import Value, check_value

if TYPE_CHECKING:
    from segserver.client import Attribute

_INT = re.compile(r"[+-]?[0-9]{1,19}")
_DOUBLE = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_BOOLS = {"true": True, "false": False}

_EXPECTED = {
    "bool": "true or false",
    "int": "a whole number of at most 64 bits",
    "double": "a number",
    "timestamp": "a date or a time, such as 2026-03-01 or 2026-03-01T12:30:00Z",
}


def value_of(text: str, type_name: str, field: str) -> Value:
    """``text`` as a value of the named type; a list's items are separated by commas.

    Raises:
        InvalidInput: about ``field``. The message does not show the text.
    """
    try:
        return check_value(field, _PARSERS[type_name](text), type_name)
    except (ValueError, KeyError, OverflowError):
        raise InvalidInput.of(
            field, f"expected {_EXPECTED[type_name]}", reason="VALUE_TYPE_MISMATCH"
        ) from None


def time_of(text: str) -> dt.datetime:
    """A date or a time in ISO 8601 as an aware datetime; without a zone it is taken for UTC.

    Raises:
        ValueError: for anything else.
    """
    time = dt.datetime.fromisoformat(text.strip())
    return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time


def brought(pairs: tuple[str, ...], attributes: Callable[[], Mapping[str, Attribute]]) -> dict[str, Value]:
    """``name=value`` arguments as values of the types that the catalog declares.

    Raises:
        InvalidInput: for an argument without ``=`` or a value of another type.
        NotFound: for an attribute that the catalog does not have, with near names.
    """
    if not pairs:
        return {}
    declared = attributes()
    values: dict[str, Value] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InvalidInput.of("--attribute", "write it as name=value")
        values[name] = value_of(text, declared_type(name, declared), name)
    return values


def declared_type(name: str, declared: Mapping[str, Attribute]) -> str:
    """The type of an attribute of the catalog. Raises :class:`NotFound` with near names."""
    from segserver.catalog.names import close_to

    if name not in declared:
        raise NotFound(
            f"the catalog has no attribute {name!r}",
            reason="ATTRIBUTE_NOT_FOUND",
            near=close_to(name, declared),
        )
    return declared[name].type


def _int(text: str) -> int:
    if not _INT.fullmatch(text.strip()):
        raise ValueError
    return int(text)


def _double(text: str) -> float:
    """Plain decimal notation only: Python's float() would also take ``nan``, ``inf`` and ``1_000``."""
    if not _DOUBLE.fullmatch(text.strip()):
        raise ValueError
    return float(text)


def _list(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


_PARSERS: Mapping[str, Callable[[str], object]] = {
    "bool": lambda text: _BOOLS[text.strip().lower()],
    "int": _int,
    "double": _double,
    "string": str,
    "timestamp": time_of,
    "list(string)": _list,
}
