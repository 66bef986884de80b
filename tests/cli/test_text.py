"""Text as values: what is read is of the type that was asked for, and what is not is never shown."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.cli._output import plain, value_text
from segserver.cli._text import value_of
from segserver.errors import InvalidInput
from segserver.model import INT64_MAX, INT64_MIN, TYPE_NAMES, check_value

texts = (
    st.text()
    | st.from_regex(r"\A[-+0-9.eE:TZ ]{0,25}\Z")
    | st.sampled_from(["nan", "inf", "1_000", "٣", "TRUE"])
)
moments = st.datetimes(
    min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 12, 30), timezones=st.just(dt.UTC)
)


@given(texts, st.sampled_from(sorted(TYPE_NAMES)))
def test_text_is_a_value_of_the_type_or_refused_without_being_shown(text, type_name):
    try:
        value = value_of(text, type_name, "field")
    except InvalidInput as error:
        shown = str(error)
    else:
        shown = ""
        assert check_value("field", value, type_name) == value
    assert shown == value_of_message(type_name) or "Unicode" in shown or shown == ""


def value_of_message(type_name):
    """What is said about a text of another type does not depend on the text."""
    try:
        value_of("\x00", type_name, "field")
    except InvalidInput as error:
        return str(error)
    return ""


@given(st.integers(INT64_MIN, INT64_MAX))
def test_ints_come_back(number):
    assert value_of(value_text(number), "int", "field") == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_come_back(number):
    assert value_of(value_text(number), "double", "field") == number


@given(moments)
def test_times_come_back(moment):
    assert value_of(value_text(moment), "timestamp", "field") == moment
    assert plain({"at": [moment]}) == {"at": [value_text(moment)]}


@pytest.mark.parametrize(
    ("text", "type_name", "value"),
    [
        (" true ", "bool", True),
        ("False", "bool", False),
        ("+7", "int", 7),
        ("1e3", "double", 1000.0),
        ("2026-03-01", "timestamp", dt.datetime(2026, 3, 1, tzinfo=dt.UTC)),
        ("2026-03-01T01:00:00+01:00", "timestamp", dt.datetime(2026, 3, 1, tzinfo=dt.UTC)),
        ("a, b,,c ", "list(string)", ("a", "b", "c")),
        ("", "string", ""),
    ],
)
def test_what_people_write(text, type_name, value):
    assert value_of(text, type_name, "field") == value


@pytest.mark.parametrize(
    ("text", "type_name"),
    [
        ("yes", "bool"),
        ("1.0", "int"),
        ("9223372036854775808", "int"),
        ("1_000", "int"),
        ("٣", "int"),
        ("nan", "double"),
        ("1e999", "double"),
        ("1,5", "double"),
        ("01/02/2026", "timestamp"),
        ("", "timestamp"),
    ],
)
def test_what_is_no_value(text, type_name):
    with pytest.raises(InvalidInput, match=r"^field: expected "):
        value_of(text, type_name, "field")
