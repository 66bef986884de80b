"""segserver's own functions in Polars."""

from __future__ import annotations

import functools
import hashlib
import math
import operator
import struct

import polars as pl

from segserver.rules.own import EARTH_RADIUS_KM
from segserver.rules.polars_column import Column, column, dtype, literal, when


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
    chord = across * across + first_cosine * second_cosine * (along * along)
    distance = 2 * EARTH_RADIUS_KM * chord.clip(upper_bound=1.0).sqrt().arcsin()
    return column(when(functools.reduce(operator.and_, checks), distance), "double")


def bucket(salt: str, subject: str) -> Column:
    """``bucket(salt)`` of the column of subject keys; see :func:`segserver.rules.own.bucket`.

    The digest is computed in Python, under half a microsecond a row: every subject is distinct, so there is
    nothing to share.
    """
    encoded = salt.encode()
    salted = hashlib.sha256(len(encoded).to_bytes(8, "big") + encoded)

    def evaluate(subjects: pl.Series) -> pl.Series:
        known = subjects.drop_nulls()
        heads = []
        for key in known.to_list():
            digest = salted.copy()
            digest.update(key.encode())
            heads.append(digest.digest()[:8])
        numbers = pl.Series(struct.unpack(f">{len(heads)}Q", b"".join(heads)), dtype=pl.UInt64())
        shares = (numbers // 2**11).cast(dtype("double")) / 2.0**53
        if len(known) == len(subjects):
            return shares
        return (
            pl.Series([None], dtype=dtype("double"))
            .new_from_index(0, len(subjects))
            .scatter(subjects.is_not_null().arg_true(), shares)
        )

    expr = pl.col(subject).map_batches(evaluate, return_dtype=dtype("double"), is_elementwise=True)
    return column(expr, "double")


def _radians_and_cosine(degrees: Column) -> tuple[pl.Expr, pl.Expr]:
    if degrees.constant:
        radians = math.radians(degrees.value)
        return pl.lit(radians), pl.lit(math.cos(radians))
    return degrees.expr.radians(), degrees.expr.radians().cos()
