"""A pattern runs on Polars' engine only where it means there what it means to RE2."""

from __future__ import annotations

import polars as pl
import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from segserver.rules import Rule
from segserver.rules.polars_regex import to_rust
from segserver.rules.strings import regex_error

TEXTS = [
    *(
        "",
        "a",
        "A",
        "b",
        "ab",
        "aab",
        "a-b",
        "a_b",
        "a b",
        "a.b",
        "1",
        "12",
        "x1",
        "é",
        "É",
        "ß",
        "K",
        "\u212a",
        "\u017f",
    ),
    *(
        "\u0661",
        "\u00a0",
        "\u2003",
        "日本",
        "\n",
        "a\n",
        "\na",
        "a\nb",
        "\t",
        "\r\n",
        "]",
        "[",
        "^",
        "$",
        "{2}",
        "a{2",
    ),
    *(
        "&&",
        "a&b",
        "~",
        "-",
        "\\",
        "|",
        "#",
        "\x0b",
        "\x0c",
        "\x07",
        "/",
        "a,b",
        "()",
        "İ",
        "i",
        "I",
        "_",
        "\u200d",
    ),
]
ATOMS = [
    *(
        "a",
        "b",
        "A",
        "é",
        "日",
        "K",
        "k",
        "s",
        ".",
        "1",
        "\\d",
        "\\D",
        "\\w",
        "\\W",
        "\\s",
        "\\S",
        "\\b",
        "\\B",
        "\\.",
        "\\n",
    ),
    *(
        "\\t",
        "\\-",
        "\\\\",
        "\\/",
        "^",
        "$",
        "\\A",
        "\\z",
        "\\C",
        "\\pL",
        "\\x41",
        "\\Q.\\E",
        "[ab]",
        "[^a]",
        "[a-c]",
    ),
    *(
        "[\\d]",
        "[^\\w]",
        "[\\W]",
        "[a-]",
        "[]a]",
        "[^]a]",
        "[a&&b]",
        "[[:alpha:]]",
        "[a\\-z]",
        "[\\n]",
        "[é-ü]",
        "[[a]",
    ),
    *(
        "-",
        "_",
        "#",
        "&",
        "~",
        " ",
        "{",
        "}",
        "]",
        ",",
        "\\v",
        "\\a",
        "\\f",
        "\\e",
        "\\_",
        "\\<",
        "[.-/]",
        "[~~]",
    ),
]
REPEATS = st.sampled_from(
    ["", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,}", "{,2}", "*?", "??", "++", "{2}?"]
)
PIECES = st.one_of(st.tuples(st.sampled_from(ATOMS), REPEATS).map("".join), st.just("|"))
SEQUENCES = st.lists(PIECES, max_size=5).map("".join)
GROUPS = st.sampled_from(
    ["({})", "(?:{})", "(?P<n>{})", "(?i){}", "(?i:{})", "(?s){}", "(?U){}", "(?-u:{})", "{}"]
)
PATTERNS = st.builds(
    lambda first, group, inner, last: first + group.replace("{}", inner) + last,
    SEQUENCES,
    GROUPS,
    SEQUENCES,
    SEQUENCES,
)


@settings(max_examples=1500)
@given(PATTERNS, st.lists(st.sampled_from(TEXTS) | st.text(max_size=5), max_size=5))
def test_a_translated_pattern_matches_what_re2_matches(pattern: str, others: list[str]) -> None:
    if regex_error(pattern) is not None:
        return
    rust = to_rust(pattern)
    if rust is None:
        return
    texts = [*TEXTS, *others]
    expected = [re2.search(pattern, text) is not None for text in texts]
    assert pl.Series(texts).str.contains(rust).to_list() == expected


@pytest.mark.parametrize(
    "pattern", ["\\C", "\\pL", "\\B", "(?s).", "(?i)é", "[[:alpha:]]", "a{,2}", "\\Qa\\E", "[\\D]"]
)
def test_a_pattern_that_may_differ_is_left_to_re2(pattern: str) -> None:
    assert to_rust(pattern) is None
    rule = Rule(f"text.matches({pattern!r})".replace("\\\\", "\\\\"), {"text": "string"})
    found = pl.DataFrame({"text": [*TEXTS, None]}).select(rule.polars().alias("found"))["found"].to_list()
    assert found == [*(re2.search(pattern, text) is not None for text in TEXTS), None]


@pytest.mark.parametrize(
    "pattern",
    [
        "^[a-z]+[0-9]*@",
        "\\d+",
        "(?i)promo",
        "^\\w+\\s",
        "a|b",
        "(x|y){1,3}$",
        "[^\\s@]+@[^\\s@]+\\.de$",
        "[]a-]",
    ],
)
def test_a_common_pattern_runs_in_polars(pattern: str) -> None:
    assert to_rust(pattern) is not None
