from __future__ import annotations

import polars as pl
import pytest

from segserver.rules import Rule

TEXTS = ["04 ", " 5", "", "04", None]


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">=", "==", "!="])
@pytest.mark.parametrize("left", ["text", "text.trim()", "text.replace(' ', '', 1)"])
@pytest.mark.parametrize("right", ["'04'", "text", "text.trim()"])
def test_texts_that_no_native_expression_makes_compare_as_any_others(sign, left, right):
    rule = Rule(f"{left} {sign} {right}", {"text": "string"})
    found = pl.DataFrame({"text": TEXTS}).select(rule.polars().alias("result"))["result"].to_list()
    assert found == [None if text is None else rule.evaluate({"text": text}) for text in TEXTS]
