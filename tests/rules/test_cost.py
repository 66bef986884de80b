"""A rule that could become too large or take too long is refused by its text, and no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segserver.errors import RuleError
from segserver.rules import Environment, Rule
from segserver.rules.cost import CHARACTERS_MAX, LIST, TEXT, Size, measure

VARIABLES = {"age": "int", "s": "string", "p": "string", "tags": "list(string)", "more": "list(string)"}
ENVIRONMENT = Environment(VARIABLES)

HARMLESS = [
    "age > 18 && s.matches('^a+') || s in tags",
    "age in [" + ", ".join(map(str, range(5_000))) + "]",
    "tags.exists(t, more.exists(m, m.lowerAscii() == t.lowerAscii()))",
    "tags.map(t, t.lowerAscii()).exists(t, t.startsWith(s))",
    "tags.filter(t, t != s).map(t, t + 'x').size() > 2",
    "s.replace(' ', '').replace('-', '--').size() > 3",
    "s.split(',').exists(part, part.trim() == p)",
    "(s + p + s + p).contains('x')",
    "(tags + more)[0] == s",
    "tags.exists(t, t.split(',').exists(part, part == s))",
    "(age > 3 ? s : s + p) == 'x'",
]
REFUSED = [
    ("s.replace('', s) == p", "characters"),
    ("s.replace(p, s) == p", "characters"),
    ("s.split('').map(c, s).size() > 1", "characters"),
    ("tags.map(t, tags).size() > 1", "characters"),
    ("tags.map(t, t + s).map(t, t + s).map(t, t.replace('', 'xxxx')).size() > 1", "characters"),
    ("tags.map(t, more.map(m, 1)).map(n, tags.map(t, n)).size() > 1", "elements"),
    ("tags.exists(a, tags.exists(b, tags.exists(c, a + b == c)))", "steps"),
    ("s.split('').exists(a, p.split('').exists(b, a == b))", "steps"),
    ("tags.all(a, tags.filter(b, tags.exists_one(c, c == b)).size() > 1)", "steps"),
]


@pytest.mark.parametrize("rule", HARMLESS)
def test_ordinary_rules_pass(rule):
    assert measure(ENVIRONMENT.check(rule), {}) == Size()


@pytest.mark.parametrize(("rule", "what"), REFUSED)
def test_bombs_are_refused_with_their_place(rule, what):
    with pytest.raises(RuleError, match=rf"^1:\d+: with the longest values, this could .*{what}") as refused:
        measure(ENVIRONMENT.check(rule), {})
    assert refused.value.line == 1
    assert rule[: refused.value.column].strip()


def test_a_value_grows_from_trait_to_trait():
    environment = Environment({"a.first": "string", "b.next": "string"})
    sizes: dict[str, Size] = {}
    doubled = environment.check("a.first + a.first")
    for _ in range(8):
        sizes["a.first"] = measure(doubled, sizes)
    assert sizes["a.first"].characters == TEXT.characters * 2**8 == CHARACTERS_MAX
    with pytest.raises(RuleError, match="characters"):
        measure(doubled, sizes)


TEXTS = st.text("ab ,", max_size=6)
EXPRESSIONS = st.recursive(
    st.sampled_from(["tags", "more", "[s, p]", "['a', s]", "s.split('')", "s.split(p)"]),
    lambda lists: st.one_of(
        st.builds("({} + {})".format, lists, lists),
        st.builds("{}.map(x, x + {}[0])".format, lists, lists),
        st.builds("{}.map(x, s.replace('', x))".format, lists),
        st.builds("{}.map(x, x.replace('a', p))".format, lists),
        st.builds("{}.filter(x, x != s)".format, lists),
        st.builds("(s == p ? {} : {})".format, lists, lists),
        st.builds("{}[0].split('a')".format, lists),
    ),
    max_leaves=4,
)


@given(EXPRESSIONS, TEXTS, TEXTS, st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_no_value_is_larger_than_its_bound(rule, s, p, tags, more):
    values = {"s": s, "p": p, "tags": tuple(tags), "more": tuple(more)}
    sizes = {
        name: Size.text(len(value))
        if isinstance(value, str)
        else Size(sum(map(len, value)), max(map(len, value), default=0), len(value))
        for name, value in values.items()
    }
    bound = measure(ENVIRONMENT.check(rule), sizes)
    result = Rule(rule, VARIABLES).evaluate(values)
    if isinstance(result, tuple):
        assert sum(map(len, result)) <= bound.characters
        assert max(map(len, result), default=0) <= bound.longest
        assert len(result) <= bound.items


def test_what_a_request_may_bring_by_default_is_what_is_reckoned_with():
    from segserver.config import Limits

    limits = Limits()
    assert TEXT.characters == limits.string_bytes_max
    assert Size(limits.message_bytes_max, limits.string_bytes_max, limits.list_items_max) == LIST
