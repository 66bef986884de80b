"""What goes through the wire comes back, and what must not pass does not."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from segserver.errors import InvalidInput
from segserver.model import INT64_MAX, INT64_MIN
from segserver.v1 import value_pb2
from segserver.wire import (
    attributes_from_proto,
    attributes_to_proto,
    timestamp_from_proto,
    timestamp_to_proto,
    value_from_proto,
    value_to_proto,
)

SECONDS_MIN, SECONDS_MAX = -62_135_596_800, 253_402_300_799
text = st.text(st.characters(exclude_categories=["Cs"]))
moments = st.datetimes(
    min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 12, 30), timezones=st.timezones()
)
values = st.one_of(
    st.booleans(),
    st.integers(INT64_MIN, INT64_MAX),
    st.floats(allow_nan=False, allow_infinity=False),
    text,
    moments,
    st.lists(text).map(tuple),
)


def in_utc(value):
    """Python calls two zones' times unequal where clocks are put forward or back; in UTC they compare."""
    return value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value


@given(values)
def test_a_value_comes_back_with_its_type(value):
    message = value_pb2.Value.FromString(value_to_proto(value).SerializeToString())
    back = value_from_proto(message)
    assert back == in_utc(value)
    assert type(back) is type(value)
    if isinstance(back, dt.datetime):
        assert back.tzinfo is dt.UTC
    if isinstance(back, float):
        assert math.copysign(1, back) == math.copysign(1, value)


@given(st.dictionaries(text, values))
def test_attributes_come_back(attributes):
    back = attributes_from_proto(attributes_to_proto(attributes))
    assert back == {name: in_utc(value) for name, value in attributes.items()}


@given(moments)
def test_a_moment_is_written_as_protobuf_writes_it(moment):
    expected = Timestamp()
    expected.FromDatetime(moment)
    assert timestamp_to_proto(moment) == expected


@given(
    st.integers(-(2**63), 2**63 - 1) | st.integers(SECONDS_MIN, SECONDS_MAX),
    st.integers(-(2**31), 2**31 - 1) | st.integers(0, 999_999).map(lambda microseconds: microseconds * 1_000),
)
def test_a_timestamp_is_read_exactly_or_refused(seconds, nanos):
    message = Timestamp(seconds=seconds, nanos=nanos)
    try:
        moment = timestamp_from_proto(message)
    except InvalidInput:
        assert nanos % 1_000 or not 0 <= nanos < 10**9 or not SECONDS_MIN <= seconds <= SECONDS_MAX
    else:
        assert timestamp_to_proto(moment) == message


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        2**63,
        -(2**63) - 1,
        "\ud800",
        ("a", "\udfff"),
        ("a", 1),
        None,
        {"a": 1},
        b"bytes",
        dt.datetime(2026, 1, 1),
        dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5))),
        dt.date(2026, 1, 1),
    ],
    ids=repr,
)
def test_what_is_no_value_is_refused_with_its_field(value):
    with pytest.raises(InvalidInput) as caught:
        value_to_proto(value, "attributes.x")
    assert [violation.field for violation in caught.value.violations] == ["attributes.x"]


@pytest.mark.parametrize(
    "message",
    [
        value_pb2.Value(),
        value_pb2.Value(double_value=math.nan),
        value_pb2.Value(double_value=-math.inf),
        value_pb2.Value(timestamp_value=Timestamp(nanos=1)),
        value_pb2.Value(timestamp_value=Timestamp(nanos=-1)),
        value_pb2.Value(timestamp_value=Timestamp(seconds=253_402_300_800)),
    ],
    ids=str,
)
def test_what_is_no_value_is_not_read(message):
    with pytest.raises(InvalidInput, match=r"^x: "):
        value_from_proto(message, "x")


def test_all_wrong_attributes_are_reported_at_once():
    message = value_pb2.Attributes(
        values={
            "good": value_pb2.Value(int_value=1),
            "empty": value_pb2.Value(),
            "nan": value_pb2.Value(double_value=math.nan),
        }
    )
    with pytest.raises(InvalidInput) as caught:
        attributes_from_proto(message)
    assert {violation.field for violation in caught.value.violations} == {
        "attributes.values[empty]",
        "attributes.values[nan]",
    }


def test_an_int_subclass_and_a_list_are_taken_for_what_they_are():
    class Count(int):
        pass

    assert value_to_proto(Count(3)) == value_pb2.Value(int_value=3)
    assert value_from_proto(value_to_proto(["a", "b"])) == ("a", "b")
