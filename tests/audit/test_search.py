"""Search and counts, against reading every entry."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segserver.audit import entry, index, search
from segserver.audit.entry import Entry, Kind, Outcomes
from segserver.audit.log import Log
from segserver.audit.search import Filter
from segserver.errors import InvalidInput
from segserver.storage.sqlite import Database
from segserver.storage.writer import Writer

START = dt.datetime(2026, 7, 4, 12, tzinfo=dt.UTC)
BLOCK = 64
COUNT = BLOCK * 5 + 17


def at(second: int) -> str:
    return entry.timestamp(START + dt.timedelta(seconds=second))


def make(number: int) -> Entry:
    """Fields with coprime periods, so that every combination comes; times out of order by some seconds."""
    name = f"retail/segment-{number % 5}"
    outcomes = (
        Outcomes(member=(name,), not_member=("retail/other",)),
        Outcomes(member=(name,), others="not_member"),
        Outcomes(unknown=(name,), withheld=("retail/other",)),
        Outcomes(),
    )
    return Entry(
        time=at(number + (number * 7) % 4),
        kind=(Kind.EVALUATION, Kind.EXPLAIN, Kind.PROFILE_READ)[number % 3],
        caller=("crm", "shop")[number % 2],
        purpose=("marketing", "", "analytics")[number % 7 % 3],
        subject=f"a1-{number % 50}" if number % 11 else "",
        segments=outcomes[number % 4],
        withheld={"CHILD": ("age",)} if number % 13 == 0 else {},
        result="OK" if number % 17 else "ROLE_MISSING",
    )


ENTRIES = [make(number) for number in range(COUNT)]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for module in (index, search):
            patch.setattr(module, "BLOCK_ENTRIES", BLOCK)
        patch.setattr(index, "BLOCK_BYTES", BLOCK // 8)
        patch.setattr(index, "SPARSE_MAX", 3)
        patch.setattr(search, "ALL", (1 << BLOCK) - 1)
        database = Database(tmp_path_factory.mktemp("log") / "store.db")
        writer = Writer(database, Log().append)
        writer.write_blocking(entries=[entry.encode(item) for item in ENTRIES])
        connection = database.connect(read_only=True)
        assert search.rebuild(connection, writer) == 5
        yield connection
        connection.close()
        writer.close()


filters = st.builds(
    Filter,
    after=st.sampled_from(["", at(30), at(200)]),
    before=st.sampled_from(["", at(100), at(320)]),
    kinds=st.sampled_from([(), (Kind.EXPLAIN,), (Kind.EVALUATION, Kind.PROFILE_READ), (Kind.SIGNAL,)]),
    caller=st.sampled_from(["", "crm", "nobody"]),
    purpose=st.sampled_from(["", "marketing"]),
    segment=st.sampled_from(["", "retail/segment-2", "retail/other", "retail/never"]),
    outcome=st.sampled_from(["", "member", "not_member", "unknown", "withheld"]),
    withheld_by=st.sampled_from(["", "", "CHILD"]),
    result=st.sampled_from(["", "", "ROLE_MISSING"]),
    subjects=st.sampled_from([(), (), ("a1-7",), ("a1-unknown", "a1-9")]),
)


def expected(wanted: Filter) -> list[int]:
    return [number for number in reversed(range(COUNT)) if wanted.matches(ENTRIES[number])]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters, st.integers(1, 60))
def test_pages_hold_what_matches_newest_first(log, wanted, count):
    found, before = [], None
    while True:
        page = search.search(log, wanted, count=count, before=before)
        assert len(page.found) == count or page.before is None
        found += page.found
        before = page.before
        if before is None:
            break
    assert [item.log_index for item in found] == expected(wanted)
    assert all(item.entry == ENTRIES[item.log_index] for item in found)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters)
def test_counts_are_those_of_the_matching_entries(log, wanted):
    matching = [ENTRIES[number] for number in expected(wanted)]
    counts = search.stats(log, wanted)
    assert counts["kind"] == Counter(item.kind for item in matching)
    assert counts["caller"] == Counter(item.caller for item in matching)
    assert counts["purpose"] == Counter(item.purpose for item in matching if item.purpose)
    assert counts["result"] == Counter(item.result for item in matching)
    assert counts["withheld_by"] == Counter(reason for item in matching for reason in item.withheld)
    assert counts["outcome"] == Counter(
        name for item in matching for name in index.OUTCOMES if getattr(item.segments, name)
    )


@pytest.mark.parametrize(
    ("segment", "outcome", "outcomes", "wanted"),
    [
        ("a", "", Outcomes(member=("a",)), True),
        ("a", "not_member", Outcomes(member=("a",), others="not_member"), False),
        ("a", "not_member", Outcomes(member=("b",), others="not_member"), True),
        ("a", "member", Outcomes(member=("b",), others="not_member"), False),
        ("a", "", Outcomes(member=("b",)), False),
        ("", "member", Outcomes(member=("b",)), True),
        ("", "not_member", Outcomes(member=("b",), others="not_member"), True),
    ],
)
def test_what_counts_as_an_answer_about_a_segment(segment, outcome, outcomes, wanted):
    item = Entry(time=at(0), kind=Kind.EVALUATION, segments=outcomes)
    assert Filter(segment=segment, outcome=outcome).matches(item) == wanted


def test_bad_filters_and_pages_are_refused(log):
    with pytest.raises(InvalidInput):
        Filter(outcome="MEMBER")
    for count in (0, 1001):
        with pytest.raises(InvalidInput):
            search.search(log, Filter(), count=count)
