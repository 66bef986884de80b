"""What a released number tells, and what it does not."""

from hypothesis import given
from hypothesis import strategies as st

from segserver.privacy.release import ROUNDING, Release

RELEASE = Release(b"k" * 32)
MINIMUMS = st.integers(20, 1_000)


@given(count=st.integers(0, 5_000), minimum=MINIMUMS, members=st.binary(max_size=20))
def test_a_number_is_near_the_count_and_never_about_too_few(count, minimum, members):
    released = RELEASE.released(count, minimum, members)
    if released is None:
        assert count < minimum + ROUNDING
    else:
        assert count >= minimum
        assert released % ROUNDING == 0
        assert abs(released - count) < ROUNDING


@given(count=st.integers(0, 5_000), minimum=MINIMUMS, members=st.binary(max_size=20))
def test_the_same_set_always_has_the_same_number(count, minimum, members):
    assert Release(b"k" * 32).released(count, minimum, members) == RELEASE.released(count, minimum, members)


def test_a_set_padded_to_the_edge_of_a_step_does_not_show_one_person_more():
    """Both numbers occur on both sides of the person."""
    with_one = [RELEASE.released(135, 100, b"with%d" % n) for n in range(300)]
    without = [RELEASE.released(134, 100, b"without%d" % n) for n in range(300)]
    assert set(with_one) == set(without) == {130, 140}


def test_nor_does_a_set_padded_to_the_minimum_audience():
    released = {RELEASE.released(104, 100, b"%d" % n) is None for n in range(50)}
    assert released == {True, False}


def test_numbers_are_right_on_average():
    numbers = [RELEASE.released(1_003, 100, b"%d" % n) for n in range(2_000)]
    assert abs(sum(numbers) / len(numbers) - 1_003) < 1
