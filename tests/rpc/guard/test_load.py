"""What a worker does at once: never more than its limits, and every refusal says when to try again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.config import Limits, RateSettings
from segserver.errors import DeadlineExceeded, InvalidInput, LimitExceeded
from segserver.rpc.guard.load import ACCOUNTS_MAX, CROWD_CALLS, Load, Pace


class Time:
    now = 0.0

    def __call__(self):
        return self.now


def load_with(clock=None, rates=None, **limits):
    return Load(Limits(**limits), RateSettings(**rates or {}), clock or Time())


def test_one_call_more_than_the_worker_takes_is_refused_at_once():
    load = load_with(concurrent_calls_max=2)
    load.enter(1)
    load.enter(1)
    with pytest.raises(LimitExceeded, match=r"limits\.concurrent_calls_max") as refused:
        load.enter(1)
    assert refused.value.metadata == {"limit": "concurrent_calls_max", "value": "2"}
    assert refused.value.retry_after_s > 0
    load.leave(1, None)
    load.enter(1)


def test_requests_in_progress_have_a_size_in_all_but_one_alone_always_passes():
    load = load_with(message_bytes_max=4096, in_progress_bytes_max=1024)
    load.enter(4096)
    with pytest.raises(LimitExceeded, match=r"limits\.in_progress_bytes_max"):
        load.enter(1)
    load.leave(4096, None)
    load.enter(1024)
    with pytest.raises(InvalidInput, match=r"limits\.message_bytes_max"):
        load.enter(4097)
    assert (load.calls, load.size_bytes) == (1, 1024)


def test_one_caller_leaves_room_for_others():
    load = load_with(caller_concurrent_calls_max=1)
    shop, till = load.account("shop"), load.account("till")
    load.begin(shop)
    with pytest.raises(LimitExceeded, match=r"limits\.caller_concurrent_calls_max"):
        load.begin(shop)
    load.begin(till)
    load.enter(0)
    load.leave(0, shop)
    load.begin(shop)


@given(
    st.floats(0.5, 500), st.floats(0.1, 10), st.lists(st.floats(0, 5, allow_subnormal=False), max_size=200)
)
def test_no_caller_calls_more_often_than_its_rate_allows(rate, burst_s, pauses):
    clock = Time()
    load = load_with(clock, {"calls_per_s": rate, "burst_s": burst_s}, caller_concurrent_calls_max=10_000)
    account, begun = load.account("shop"), 0
    for pause in pauses:
        clock.now += pause
        try:
            load.begin(account)
            begun += 1
        except LimitExceeded as refused:
            clock.now += refused.retry_after_s * 1.000001
            load.begin(account)
            begun += 1
    assert begun <= max(1.0, rate * burst_s) + rate * clock.now + 1e-6 * (1 + begun)


def test_some_callers_have_rates_of_their_own():
    clock = Time()
    load = load_with(clock, {"calls_per_s": 1_000.0, "burst_s": 1.0, "callers": {"batch": 1.0}})
    batch = load.account("batch")
    load.begin(batch)
    with pytest.raises(LimitExceeded, match=r"1 times a second \(rates\.calls_per_s\)") as refused:
        load.begin(batch)
    assert refused.value.retry_after_s == pytest.approx(1.0)
    for _ in range(500):
        load.begin(load.account("shop"))


def test_a_deadline_that_has_passed_is_told_and_nothing_is_done():
    with pytest.raises(DeadlineExceeded):
        load_with().check_pace(0.0, Pace())


def test_under_load_a_call_that_could_not_end_in_time_is_refused_at_once():
    clock = Time()
    load, pace = load_with(), Pace(clock)
    for _ in range(500):
        pace.learn(1.0)
    load.check_pace(0.5, pace)  # nobody else is there
    for _ in range(CROWD_CALLS + 1):
        load.enter(0)
    with pytest.raises(LimitExceeded, match=r"would need 2\.000 s") as refused:
        load.check_pace(0.5, pace)
    assert refused.value.reason == "OVERLOADED"
    assert refused.value.retry_after_s == pytest.approx(2.0)
    load.check_pace(5.0, pace)
    load.check_pace(None, pace)
    clock.now = 3.0
    load.check_pace(0.5, pace)  # nothing has ended since: it is tried again


def test_a_large_request_is_refused_when_too_many_are_before_it():
    load, pace = load_with(large_calls_max=2), Pace(Time())
    for _ in range(500):
        pace.learn(1.0)
    load.large_calls = 1
    load.check_turn(0.1, pace)  # there is room: it begins at once, and teaches how long it takes
    load.large_calls = 6
    load.check_turn(8.1, pace)
    with pytest.raises(LimitExceeded, match=r"would need 8\.000 s"):
        load.check_turn(7.9, pace)


def test_calls_that_were_given_up_teach_that_such_calls_take_long():
    pace = Pace()
    for _ in range(100):
        pace.learn_late(1.0)
    assert pace.took_s == pytest.approx(1.0, abs=0.01)
    pace.learn_late(0.001)
    assert pace.took_s == pytest.approx(1.0, abs=0.01)


def test_accounts_do_not_grow_without_end():
    load = load_with()
    busy = load.account("busy")
    load.begin(busy)
    for number in range(ACCOUNTS_MAX + 10):
        load.account(f"caller{number}")
    assert load.account("busy") is busy
    assert len(load._accounts) <= ACCOUNTS_MAX
