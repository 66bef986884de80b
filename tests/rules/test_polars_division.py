"""A quotient in a table is the quotient that IEEE 754 defines, to the last bit."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.rules.rule import Rule

NUMBERS = st.floats(-1e300, 1e300).filter(lambda number: number == 0 or abs(number) > 1e-300)
QUOTIENT = Rule("x / y", variables={"x": "double", "y": "double"})


@given(st.lists(NUMBERS, min_size=2), st.floats(0.001, 1000))
def test_a_column_is_divided_by_one_number_exactly(numbers, divisor):
    constant = Rule(f"x / {divisor!r}", variables={"x": "double"})
    expected = [number / divisor for number in numbers]
    frame = pl.DataFrame({"x": numbers}, schema={"x": pl.Float64()})
    assert frame.select(constant.polars().alias("q"))["q"].to_list() == expected
    same = frame.with_columns(y=pl.lit(divisor))
    assert same.select(QUOTIENT.polars().alias("q"))["q"].to_list() == expected


@pytest.mark.parametrize(("x", "y"), [(1.0, 0.0), (-1.0, 0.0), (None, 2.0), (2.0, None), (1.0, float("inf"))])
def test_zero_infinity_and_unknown_keep_their_meaning(x, y):
    frame = pl.DataFrame({"x": [x, 1.0], "y": [y, 3.0]}, schema={"x": pl.Float64(), "y": pl.Float64()})
    first, second = frame.select(QUOTIENT.polars().alias("q"))["q"].to_list()
    assert second == 1 / 3
    if x is None or y is None:
        assert first is None
    elif y == 0:
        assert first == x * float("inf")
    else:
        assert first == 0
