"""When a plugin host process is left alone, and when it is tried again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segserver.strategies.isolation.breaker import FIRST_PAUSE_S, WINDOW_S, Breaker, State


def test_it_opens_after_failures_within_a_minute_and_not_over_a_longer_time():
    slow = Breaker(3, 60.0)
    assert not any(slow.failed(n * WINDOW_S / 1.9) for n in range(10))
    fast = Breaker(3, 60.0)
    assert [fast.failed(n) for n in range(4)] == [False, False, True, False]
    assert fast.state is State.OPEN


def test_one_answer_after_a_pause_closes_it_and_a_failure_doubles_the_pause():
    breaker = Breaker(1, 5.0)
    now_s = 0.0
    for pause_s in (FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S, 5.0, 5.0):
        breaker.failed(now_s)
        assert not breaker.permits(now_s + pause_s - 0.01)
        now_s += pause_s
        assert breaker.permits(now_s)
        assert breaker.state is State.HALF_OPEN
    breaker.succeeded()
    assert breaker.state is State.CLOSED
    breaker.failed(now_s + WINDOW_S + 1)
    assert breaker.retry_at_s == now_s + WINDOW_S + 1 + FIRST_PAUSE_S


@given(st.lists(st.tuples(st.sampled_from("fsp"), st.floats(0.01, 90.0))), st.integers(1, 5))
def test_it_never_stays_open_for_longer_than_the_longest_pause(events, failures_max):
    breaker, now_s = Breaker(failures_max, 30.0), 0.0
    for event, later_s in events:
        now_s += later_s
        if event == "f" and breaker.permits(now_s):
            breaker.failed(now_s)
        elif event == "s" and breaker.permits(now_s):
            breaker.succeeded()
        assert breaker.state is not State.OPEN or breaker.retry_at_s <= now_s + 30.0
    assert breaker.permits(now_s + 30.0)
