"""segserver's own functions in Polars."""

from __future__ import annotations

import functools
import math
import operator

import polars as pl

from segserver.rules import own
from segserver.rules.polars_column import Column, column, dtype, literal, when

_DIGITS = 16


def distance_km(*places: Column) -> Column:
    """The haversine distance of two places, step by step as in :func:`segserver.rules.own.distance_km`, so
    that it is the same to the last bit.
    """
    limits = (90.0, 180.0, 90.0, 180.0)
    checks = [
        c.expr.is_between(-limit, limit) for c, limit in zip(places, limits, strict=True) if not c.constant
    ]
    if any(c.constant and not abs(c.value) <= limit for c, limit in zip(places, limits, strict=True)):
        return literal(None, "double")
    latitude, longitude, other_latitude, other_longitude = places
    first, first_cosine = _radians_and_cosine(latitude)
    second, second_cosine = _radians_and_cosine(other_latitude)
    across = ((second - first) / 2).sin()
    along = ((other_longitude.expr - longitude.expr).radians() / 2).sin()
    chord = across.pow(2) + first_cosine * second_cosine * along.pow(2)
    distance = 2 * own.EARTH_RADIUS_KM * (chord * own.BELOW_ONE).sqrt().arcsin()
    return column(when(functools.reduce(operator.and_, checks), distance), "double")


def subject_bits(subject: str) -> pl.Expr:
    """The 64 bits of each subject, from the column of subject keys; see
    :func:`segserver.rules.own.subject_bits`. What isn't a subject key is hashed in Python, half a microsecond
    each.
    """

    def evaluate(subjects: pl.Series) -> pl.Series:
        is_key = subjects.str.contains(f"^{own.SUBJECT_KEY.pattern}$")
        bits = subjects.str.slice(-_DIGITS).str.to_integer(base=16, dtype=pl.UInt64(), strict=False)
        if is_key.all():
            return bits
        hashed = [own.salt_bits(text) for text in subjects.filter(~is_key).to_list()]
        return bits.scatter((~is_key).arg_true(), pl.Series(hashed, dtype=pl.UInt64()))

    return pl.col(subject).map_batches(evaluate, return_dtype=pl.UInt64(), is_elementwise=True)


def bucket(salt: str, subject: pl.Expr) -> Column:
    """``bucket(salt)`` of the subjects' bits; see :func:`segserver.rules.own.share`.

    In one call: Polars' integers wrap, as they must, but an expression would compute every step twice for the
    next one.
    """
    salted, first, second = (
        pl.Series([number], dtype=pl.UInt64())
        for number in (own.salt_bits(salt), own.MIX_FIRST, own.MIX_SECOND)
    )

    def evaluate(subjects: pl.Series) -> pl.Series:
        mixed = subjects ^ salted
        mixed = (mixed ^ (mixed // 2**30)) * first
        mixed = (mixed ^ (mixed // 2**27)) * second
        mixed = (mixed ^ (mixed // 2**31)) // 2**11
        return mixed.cast(dtype("double")) / 2.0**53

    expr = subject.map_batches(evaluate, return_dtype=dtype("double"), is_elementwise=True)
    return column(expr, "double")


def _radians_and_cosine(degrees: Column) -> tuple[pl.Expr, pl.Expr]:
    if degrees.constant:
        radians = math.radians(degrees.value)
        return pl.lit(radians), pl.lit(math.cos(radians))
    return degrees.expr.radians(), degrees.expr.radians().cos()
