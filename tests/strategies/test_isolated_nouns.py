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
        with contextlib.suppress(msgspec.MsgspecError):
            messages.reply(payload)


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
