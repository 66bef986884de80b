"""YAML with places, and the limits on it."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from segserver.catalog import document
from segserver.catalog.document import parse
from segserver.errors import CatalogError


def data(text: str) -> object:
    node, problems = parse(text, "f.yaml")
    assert problems == []
    return node.data()


def refusal(text: str) -> tuple[int, str]:
    with pytest.raises(CatalogError) as caught:
        parse(text, "f.yaml")
    (problem,) = caught.value.problems
    assert problem.file == "f.yaml"
    return problem.line, problem.message


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        *[(word, word) for word in ("no", "yes", "on", "off", "y", "n", "No", "TRUE", "False", "NULL")],
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("12", 12),
        ("-7", -7),
        ("0", 0),
        ("0123", "0123"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2024-01-31", "2024-01-31"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("-", "-"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
    ],
)
def test_plain_scalars_follow_the_small_core_schema(scalar, value):
    result = data(f"key: {scalar}" if scalar != "-" else "key: '-'")["key"]
    assert result == value
    assert type(result) is type(value)


def test_keys_are_always_text():
    assert data("no: 1\n12: 2\ntrue: 3") == {"no": 1, "12": 2, "true": 3}


def test_an_empty_file_is_an_empty_mapping():
    assert data("") == data("# nothing\n") == data("---\n") == {}


def test_lines_point_to_keys_and_items():
    node, _ = parse("a:\n  b: 1\nlist:\n  - x: 1\n    y: |\n      text\n  - z\n", "f")
    assert node.line_of(("a",)) == 1
    assert node.line_of(("a", "b")) == 2
    assert node.line_of(("list", 0, "y")) == 5
    assert node.line_of(("list", 1)) == 7
    assert node.line_of(("a", "missing")) == 1
    assert node.line_of(("list", 0, "missing")) == 4


def test_duplicate_keys_are_all_listed_and_the_first_counts():
    node, problems = parse("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", "f.yaml")
    assert [(p.line, p.field) for p in problems] == [(4, "c"), (5, "a")]
    assert "first on line 3" in problems[0].message
    assert node.data() == {"a": 1, "b": {"c": 1}}


def test_aliases_stand_for_their_value():
    assert data("a: &x [1, 2]\nb: *x\n") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "not YAML"),
        ("a: 'open\n", 2, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, "not YAML"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("a: !!python/object:os.system x\n", 1, "is not supported"),
        ("a: !secret x\n", 1, "the tag !secret is not supported"),
        ("a: 1\n? [1]\n: 2\n", 2, "a key is a list"),
        ("a: *nobody\n", 1, "no anchor &nobody"),
        ("a: &x\n  b: *x\n", 2, "no anchor &x"),
        ("a: \x00", 1, "not YAML"),
    ],
)
def test_what_is_not_a_plain_document_is_refused_with_its_line(text, line, message):
    found_line, found = refusal(text)
    assert found_line == line
    assert message in found


def test_deep_nesting_is_refused_before_it_costs_anything():
    assert "nested deeper than 32" in refusal("[" * 1_000_000)[1]


def test_aliases_cannot_multiply_a_small_file():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert "with aliases counted" in refusal("\n".join(lines))[1]


def test_a_file_beyond_the_size_limit_is_refused(monkeypatch):
    monkeypatch.setattr(document, "SIZE_MAX", 10)
    assert "more than 10 characters" in refusal("a: " + "x" * 10)[1]


def test_text_that_is_not_unicode_is_refused():
    assert "not valid Unicode" in refusal("a: \ud800")[1]


_KEYS = st.text("abcxyz_", min_size=1, max_size=5)
_VALUES = st.recursive(
    st.text("abc 01:#-'\"\n{}[]é", max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(_KEYS, _VALUES))
def test_quoted_text_reads_back(value):
    assert data(yaml.safe_dump(value, default_style='"', allow_unicode=True)) == value


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(CatalogError):
        parse(text, "f")
