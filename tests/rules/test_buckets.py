"""Shares of the customers: the same forever, even, and independent between salts; alone and in a table."""

from __future__ import annotations

import hashlib

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.rules import own
from segserver.rules.rule import Rule

COUNT, BINS = 20_000, 20
SALTS = ["", "a", "b", "spring-2027", "spring-2028", "holdout"]
POPULATIONS = {
    "subject keys": [f"01{hashlib.sha256(b'%d' % number).hexdigest()}" for number in range(COUNT)],
    "keys that count up": [f"{number:066x}" for number in range(COUNT)],
    "other texts": [f"customer-{number}" for number in range(COUNT)],
}
KEY = "01" + "89ab" * 16
ODD = ["", "ü", "0" * 65, "0" * 67, KEY, KEY.upper(), KEY[:-1] + "\n", KEY[:-1] + "g", "+" * 66, "٣" * 66]


@pytest.mark.parametrize(
    ("subject", "expected"),
    [("s0", 0.7640994351207738), (KEY, 0.05349070819984669), (KEY.upper(), 0.7639981000040659)],
)
def test_a_running_share_is_never_dealt_anew(subject: str, expected: float) -> None:
    assert Rule('bucket("a")').evaluate({}, subject=subject) == expected


def test_the_mixer_gives_the_published_numbers_of_splitmix64() -> None:
    """The first outputs of the generator with the seed 1234567, as reference implementations print them."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    states = [(1234567 + 0x9E3779B97F4A7C15 * step) % 2**64 for step in (1, 2, 3)]
    assert [own.share(state, 0) for state in states] == [(number >> 11) / 2**53 for number in published]


@given(st.lists(st.none() | st.sampled_from(ODD) | st.text(), min_size=1), st.sampled_from(SALTS))
def test_a_table_gets_the_bucket_of_each_subject(subjects: list[str | None], salt: str) -> None:
    rule = Rule(f'bucket("{salt}")')
    expected = [None if subject is None else rule.evaluate({}, subject=subject) for subject in subjects]
    frame = pl.LazyFrame({"subject": subjects}, schema={"subject": pl.String})
    for engine in ("in-memory", "streaming"):
        answered = frame.select(share=rule.polars()).collect(engine=engine)
        assert answered["share"].to_list() == expected


@pytest.mark.parametrize("population", POPULATIONS)
def test_every_share_is_as_large_as_it_says(population: str) -> None:
    for salt, bins in _bins(population).items():
        counts = bins.value_counts()["count"].to_list()
        assert len(counts) == BINS, salt
        _assert_even(counts)


@pytest.mark.parametrize("population", POPULATIONS)
def test_the_shares_of_two_salts_know_nothing_of_each_other(population: str) -> None:
    bins = _bins(population)
    for index, first in enumerate(SALTS):
        for second in SALTS[index + 1 :]:
            counts = (bins[first] * BINS + bins[second]).value_counts()["count"].to_list()
            _assert_even(counts + [0] * (BINS**2 - len(counts)))


def _bins(population: str) -> dict[str, pl.Series]:
    """For every salt the bin of each subject."""
    frame = pl.DataFrame({"subject": POPULATIONS[population]})
    shares = [Rule(f'bucket("{salt}")').polars().alias(salt) for salt in SALTS]
    return {s.name: (s * BINS).cast(pl.Int64) for s in frame.select(shares).get_columns()}


def _assert_even(counts: list[int]) -> None:
    """Pearson's chi-squared has as many degrees of freedom as there are counts but one, and its standard
    deviation is the root of twice that. Five of them leave no doubt.
    """
    expected, degrees = sum(counts) / len(counts), len(counts) - 1
    squared = sum((count - expected) ** 2 for count in counts) / expected
    assert abs(squared - degrees) < 5 * (2 * degrees) ** 0.5
