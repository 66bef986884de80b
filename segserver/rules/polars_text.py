"""CEL's string functions in Polars. A handler that returns ``None`` leaves the call to the scalar form."""

from __future__ import annotations

import polars as pl

from segserver.rules.polars_column import Column, derived, dtype
from segserver.rules.polars_compare import where_known
from segserver.rules.polars_regex import to_rust
from segserver.rules.strings import WHITESPACE

_LENGTH_MAX = 2**32
"""Above the code points of any one string in a Polars column."""

_ARROW = pl.CompatLevel.oldest()
"""Texts one after the other: Arrow's kernels don't take views."""


def size(text: Column) -> Column:
    """The number of code points."""
    return derived((text,), text.expr.str.len_chars().cast(dtype("int")), "int", low=0, high=_LENGTH_MAX)


def concat(a: Column, b: Column) -> Column:
    """``string + string``."""
    return derived((a, b), a.expr + b.expr, "string")


def contains(text: Column, part: Column) -> Column:
    """``text.contains(part)``."""
    return derived((text, part), text.expr.str.contains(part.expr, literal=True), "bool")


def starts_with(text: Column, prefix: Column) -> Column:
    """``text.startsWith(prefix)``."""
    return derived((text, prefix), text.expr.str.starts_with(prefix.expr), "bool")


def ends_with(text: Column, suffix: Column) -> Column:
    """``text.endsWith(suffix)``."""
    return derived((text, suffix), text.expr.str.ends_with(suffix.expr), "bool")


def matches(text: Column, pattern: Column) -> Column | None:
    """``text.matches(pattern)``, where Rust's engine surely agrees with RE2."""
    if not pattern.constant or pattern.value is None:
        return None
    rust = to_rust(pattern.value)
    if rust is None or not _compiles(rust):
        return None
    return derived((text,), text.expr.str.contains(rust), "bool")


def lower_ascii(text: Column) -> Column:
    """Lowers A to Z and nothing else."""
    return _ascii_case(text, "ascii_lower")


def upper_ascii(text: Column) -> Column:
    """Raises a to z and nothing else."""
    return _ascii_case(text, "ascii_upper")


def trim(text: Column) -> Column:
    """The text without white space at its ends; Polars strips the same set of characters when it is named."""
    return derived((text,), text.expr.str.strip_chars(WHITESPACE), "string")


def split(text: Column, separator: Column) -> Column | None:
    """``text.split(separator)`` for a constant separator that isn't empty."""
    if not separator.constant or not separator.value:
        return None
    return derived((text,), text.expr.str.split(separator.value), "list(string)")


def replace(text: Column, old: Column, new: Column) -> Column | None:
    """``text.replace(old, new)`` for constants, ``old`` not empty."""
    if not old.constant or not old.value or not new.constant or new.value is None:
        return None
    return derived((text,), text.expr.str.replace_all(old.value, new.value, literal=True), "string")


def index_of(text: Column, part: Column) -> Column | None:
    """``text.indexOf(part)`` in code points, for a constant part that isn't empty."""
    if not part.constant or not part.value:
        return None
    before = text.expr.str.split(part.value).list.first().str.len_chars().cast(dtype("int"))
    found = pl.when(text.expr.str.contains(part.value, literal=True)).then(before).otherwise(-1)
    return derived((text,), where_known((text,), found), "int", low=-1, high=_LENGTH_MAX)


def from_int(number: Column) -> Column:
    """``string(int)``."""
    return derived((number,), number.expr.cast(dtype("string")), "string")


def from_bool(value: Column) -> Column:
    """``string(bool)``."""
    return derived((value,), value.expr.cast(dtype("string")), "string")


def _ascii_case(text: Column, kernel: str) -> Column:
    """Arrow's kernel of that name, which looks at bytes and leaves all beyond ASCII alone. Polars' own
    conversion is Unicode's; this one takes half its time, copies included.
    """

    def convert(texts: pl.Series) -> pl.Series:
        import pyarrow.compute

        converted = pyarrow.compute.call_function(kernel, [texts.to_arrow(compat_level=_ARROW)])
        return pl.Series(texts.name, converted, dtype=dtype("string"))

    expr = text.expr.map_batches(convert, return_dtype=dtype("string"), is_elementwise=True)
    return derived((text,), expr, "string")


def _compiles(pattern: str) -> bool:
    try:
        pl.Series([""], dtype=dtype("string")).str.contains(pattern)
    except pl.exceptions.ComputeError:
        return False
    return True
