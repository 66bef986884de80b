from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from segserver.rules import Rule
from segserver.rules.strings import WHITESPACE, trim

RULE = Rule("text.trim()", {"text": "string"})
ANY = st.characters(codec="utf-8")
SPACE = st.sampled_from([*WHITESPACE, "\x1c", "\x1f", "\u180e", "\u200b", "\ufeff", "a"])


@given(st.lists(st.text(SPACE | ANY) | st.none(), max_size=30))
def test_polars_trims_as_the_scalar_form_does(texts):
    found = pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)}).select(RULE.polars().alias("trimmed"))
    assert found["trimmed"].to_list() == [None if text is None else trim(text) for text in texts]


def test_every_character_alone():
    texts = [chr(point) for point in range(0x11000) if not 0xD800 <= point < 0xE000]
    found = pl.DataFrame({"text": texts}).select(RULE.polars().alias("trimmed"))["trimmed"].to_list()
    assert found == [trim(text) for text in texts]
