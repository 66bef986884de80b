"""What a plugin host process sends comes from a stranger: it is a sound noun or value, or is refused."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.errors import InvalidInput
from segserver.model import TYPE_NAMES, check_value
from segserver.rules.values import from_rule
from segserver.strategies.api import Trait
from segserver.strategies.isolation import messages, nouns
from segserver.strategies.isolation.isolation import IsolatedStrategy
from segserver.strategies.isolation.traits import FAILED, IsolatedTrait, RemoteCode

LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary()
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
FIELDS = st.sampled_from(
    ["name", "type", "title", "rule", "reads", "values", "category", "purposes", "id", "coded", "priority"]
)
FIELDS_OF_ANYTHING = st.lists(st.dictionaries(FIELDS, ANYTHING, max_size=8), max_size=3)


@given(ANYTHING)
def test_bytes_are_a_reply_or_no_reply(thing):
    for payload in (
        msgspec.msgpack.encode(thing),
        msgspec.msgpack.encode({"type": "Answered", "answers": thing}),
    ):
        with contextlib.suppress(ValueError):
            messages.reply(payload)


PREFIX = messages.encode(messages.Answered([messages.Answers([], {})]))[:-4]


@pytest.mark.parametrize(
    "most", [b"\x91\x92\x91" + b"\x91" * 100_000, b"\x91\x92\x91\xa2\xff\xfe\x80", b"\xdd" + b"\xff" * 4]
)
def test_bytes_made_to_break_the_reader_are_no_reply(most):
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says, it is the same failure to the reader
        messages.reply(PREFIX + most)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_reply_or_no_reply(more):
    for payload in (more, PREFIX + more):
        with contextlib.suppress(ValueError):
            messages.reply(payload)


@pytest.mark.parametrize(
    "settings", [b"[]", b"\xff", b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", b'{"a":' + b"[" * 9_999]
)
def test_settings_are_a_plain_object_or_a_problem(settings):
    reply = messages.Resolved(settings, [], [], [], [])
    supervisor = SimpleNamespace(ask=lambda request: reply)
    strategy = IsolatedStrategy(name="s", version="1", supervisor=supervisor, takes_defaults=True)
    with pytest.raises(InvalidInput, match="its settings are no JSON object"):
        strategy.resolve({})


@given(FIELDS_OF_ANYTHING)
def test_fields_are_nouns_or_invalid_input(fields):
    resolved = messages.Resolved(b"{}", fields, fields, fields, fields)
    for made in (
        lambda: nouns.attributes(fields),
        lambda: nouns.events(resolved),
        lambda: nouns.computed(resolved),
        lambda: nouns.segments(resolved),
        lambda: nouns.traits(resolved, lambda name: len),
    ):
        with contextlib.suppress(InvalidInput):
            made()


@pytest.mark.parametrize("type_name", sorted(TYPE_NAMES))
@given(ANYTHING, st.none() | st.text(max_size=9))
def test_a_value_is_of_the_traits_type_or_has_failed(type_name, thing, failed):
    counted = []
    code = RemoteCode(SimpleNamespace(), "s", b"{}", "t")
    trait = IsolatedTrait(code, "s.t", Trait("t", type_name), ("int",), lambda *what: counted.append(what))
    answers = messages.Answers([thing], {} if failed is None else {0: failed})
    (value,) = trait.judged(answers)
    if value is FAILED:
        ((name, last, count),) = counted
        assert (name, count) == ("s.t", 1)
        assert last in ("InvalidInput", "Exception") or issubclass(__builtins__[last], BaseException)
    elif value is not None:
        assert failed is None
        check_value("value", from_rule(value, type_name), type_name)


def test_no_more_and_no_longer_than_can_be_compiled():
    segment = {"id": "a", "rule": "true"}
    empty = messages.Resolved(b"{}", [], [], [], [segment])
    assert [one.id for one in nouns.segments(empty)] == ["a"]
    for many in ([segment] * 10_001, [segment | {"rule": "x" * 65_537}], [segment | {"priority": 2**31}]):
        with pytest.raises(InvalidInput):
            nouns.segments(messages.Resolved(b"{}", [], [], [], many))
