"""Denials: a flood of them leaves few entries, and none is lost."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.errors import Unavailable
from segserver.rpc.guard.denials import ELSEWHERE, NETWORKS_MAX, Denials, network


class Log:
    """Takes denials, or fails."""

    def __init__(self):
        self.taken = []
        self.works = True

    async def __call__(self, denials):
        if not self.works:
            raise Unavailable("the disk is full")
        self.taken += denials


async def test_the_first_is_logged_at_once_and_the_others_are_counted():
    log = Log()
    denials = Denials(log, 60.0)
    for port in range(1_000):
        await denials.add("", f"ipv4:192.0.2.1:{port}", "/m", "UNAUTHENTICATED")
    assert [(d.network, d.times) for d in log.taken] == [("192.0.2.1", 1)]
    await denials.stop()
    assert [(d.network, d.times) for d in log.taken] == [("192.0.2.1", 1), ("192.0.2.1", 999)]


async def test_each_interval_begins_anew():
    log = Log()
    denials = Denials(log, 0.01)
    denials.start()
    for _ in range(3):
        await denials.add("shop", "unix:", "/m", "ROLE_MISSING")
    while len(log.taken) < 2:
        await asyncio.sleep(0.005)
    await denials.add("shop", "unix:", "/m", "ROLE_MISSING")
    await denials.stop()
    assert [denial.times for denial in log.taken] == [1, 2, 1]


async def test_a_flood_from_everywhere_is_counted_together():
    log = Log()
    denials = Denials(log, 60.0)
    for number in range(5 * NETWORKS_MAX):
        peer = f"ipv6:%5B2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1%5D:40000"
        await denials.add("", peer, f"/m{number % 3}", "UNAUTHENTICATED")
    await denials.stop()
    assert len(log.taken) <= 2 * NETWORKS_MAX + 6
    assert sum(denial.times for denial in log.taken) == 5 * NETWORKS_MAX
    assert {denial.network for denial in log.taken if denial.times > 1} == {ELSEWHERE}


async def test_a_denial_whose_entry_fails_after_the_interval_ended_stays_counted():
    begun, hold, taken = asyncio.Event(), asyncio.Event(), []

    async def failing(found):
        begun.set()
        await hold.wait()
        if not taken:
            taken.append("failed")
            raise Unavailable("the disk is full")
        taken.extend(found)

    denials = Denials(failing, 60.0)
    adding = asyncio.ensure_future(denials.add("", "unix:", "/m", "UNAUTHENTICATED"))
    await begun.wait()
    await denials.flush()
    hold.set()
    with pytest.raises(Unavailable):
        await adding
    await denials.stop()
    assert [denial.times for denial in taken[1:]] == [1]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from("ab"), st.sampled_from(["/m", "/n"])),
            st.sampled_from(["break", "mend", "flush"]),
        ),
        max_size=40,
    )
)
def test_none_is_lost_whatever_fails_in_between(steps):
    async def run():
        log, added = Log(), Counter()
        denials = Denials(log, 60.0)
        for step in steps:
            try:
                if step == "flush":
                    await denials.flush()
                elif isinstance(step, str):
                    log.works = step == "mend"
                else:
                    added[step] += 1
                    await denials.add(step[0], "unix:", step[1], "ROLE_MISSING")
            except Unavailable:
                assert not log.works
        log.works = True
        await denials.stop()
        logged = Counter()
        for denial in log.taken:
            logged[denial.caller, denial.method] += denial.times
        assert logged == added

    asyncio.run(run())


@pytest.mark.parametrize(
    ("peer", "found"),
    [
        ("ipv4:192.0.2.1:40000", "192.0.2.1"),
        ("ipv6:%5B2001:db8:1:2:3::4%5D:40000", "2001:db8:1:2::/64"),
        ("ipv6:[::ffff:192.0.2.1]:40000", "192.0.2.1"),
        ("ipv6:%5Bfe80::1%25eth0%5D:1", "fe80::/64"),
        ("unix:", "unix"),
        ("ipv4:nonsense", "ipv4"),
        ("", ""),
    ],
)
def test_where_a_call_comes_from_is_told_without_the_port(peer, found):
    assert network(peer) == found
