"""The canonical form of an entry."""

from __future__ import annotations

import datetime as dt
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.audit import entry
from segserver.audit.entry import Entry, Kind, Outcomes
from segserver.errors import IntegrityError, InvalidInput

NOON = dt.datetime(2026, 7, 4, 12, tzinfo=dt.UTC)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.lists(text, max_size=4).map(tuple)
reasons = st.dictionaries(text, names, max_size=3)
outcomes = st.builds(Outcomes, member=names, not_member=names, unknown=names, withheld=names, others=text)
entries = st.builds(
    Entry,
    time=st.datetimes(timezones=st.just(dt.UTC)).map(entry.timestamp),
    kind=st.sampled_from(Kind),
    caller=text,
    request_id=text,
    purpose=text,
    subject=text,
    segments=outcomes,
    read=names,
    withheld=reasons,
    strategies=st.dictionaries(text, text, max_size=3),
    subjects=st.integers(0, 10**9),
)


@given(entries)
def test_bytes_and_entry_tell_the_same(item):
    payload = entry.encode(item)
    assert entry.decode(payload) == item
    assert entry.encode(entry.decode(payload)) == payload


@given(entries)
def test_what_an_entry_is_found_by_is_what_it_says(item):
    payload = entry.encode(item)
    sought = entry.decode_sought(payload)
    for name in sought.__struct_fields__:
        assert name == "withheld" or getattr(sought, name) == getattr(item, name)
    assert sought.withheld.keys() == item.withheld.keys()
    assert entry.time_of(payload) == item.time


def test_the_time_of_other_bytes():
    assert entry.time_of(b'{"v": 1, "kind": "signal", "time": "2026"}') == "2026"
    for payload in (b"", b'{"v":1,"time":"2026-07-04T12:00:00.000', b'{"v":2,"time":"2026","kind":"signal"}'):
        with pytest.raises(IntegrityError):
            entry.time_of(payload)


def test_one_entry_has_one_form_and_says_its_version_first():
    def make(order):
        return Entry(
            time=entry.timestamp(NOON),
            kind=Kind.EVALUATION,
            withheld=dict.fromkeys(order, ("é",)),
            segments=Outcomes(member=("a",)),
        )

    payload = entry.encode(make(["B", "A"]))
    assert payload == entry.encode(make(["A", "B"]))
    assert payload.decode() == (
        '{"v":1,"time":"2026-07-04T12:00:00.000000Z","kind":"evaluation",'
        '"segments":{"member":["a"]},"withheld":{"A":["é"],"B":["é"]}}'
    )


def test_a_thousand_segments_fit():
    ids = tuple(f"retail/some-segment-name-{number:04}" for number in range(1000))
    item = Entry(time=entry.timestamp(NOON), kind=Kind.EVALUATION, segments=Outcomes(not_member=ids))
    assert len(entry.encode(item)) < entry.PAYLOAD_BYTES_MAX


def test_more_than_64_kib_are_refused():
    def sized(count):
        return Entry(time=entry.timestamp(NOON), kind=Kind.EVALUATION, caller="x" * count)

    overhead = len(entry.encode(sized(1))) - 1
    assert len(entry.encode(sized(65_536 - overhead))) == 65_536
    with pytest.raises(InvalidInput) as refused:
        entry.encode(sized(65_537 - overhead))
    assert refused.value.reason == "LIMIT_EXCEEDED"
    assert refused.value.metadata["value"] == "65536"


def test_text_that_is_not_unicode_is_refused():
    with pytest.raises(InvalidInput):
        entry.encode(Entry(time=entry.timestamp(NOON), kind=Kind.EVALUATION, caller="\ud800"))


@pytest.mark.parametrize(
    "change", [{"v": 2}, {"v": None}, {"kind": "party"}, {"time": 3}, {"unheard_of": 1}, {"subjects": "1"}]
)
def test_other_versions_and_shapes_are_refused(change):
    payload = {"v": 1, "time": entry.timestamp(NOON), "kind": "evaluation"} | change
    with pytest.raises(IntegrityError):
        entry.decode(msgspec.json.encode(payload))


@given(st.binary(max_size=50))
def test_arbitrary_bytes_raise_one_error(payload):
    with pytest.raises(IntegrityError):
        entry.decode(payload)


@given(st.datetimes(timezones=st.just(dt.UTC)), st.datetimes(timezones=st.just(dt.UTC)))
def test_text_order_is_time_order(one, other):
    assert (one < other) == (entry.timestamp(one) < entry.timestamp(other))


def test_times_are_utc_with_microseconds():
    east = dt.timezone(dt.timedelta(hours=2))
    assert entry.timestamp(NOON.astimezone(east)) == entry.timestamp(NOON) == "2026-07-04T12:00:00.000000Z"
    assert json.loads(entry.encode(Entry(time=entry.timestamp(NOON), kind=Kind.SIGNAL)))["kind"] == "signal"
    with pytest.raises(InvalidInput):
        entry.timestamp(NOON.replace(tzinfo=None))
