"""``lowerAscii`` and ``upperAscii`` in a table: the letters of ASCII and nothing else."""

from __future__ import annotations

import polars as pl
import pytest

from segserver.rules.rule import Rule

TEXTS = [f"a{chr(code)}Z" for code in range(0x3000) if not 0xD800 <= code < 0xE000] + ["", "\N{KELVIN SIGN}"]


@pytest.mark.parametrize("function", ["lowerAscii", "upperAscii"])
@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_only_the_letters_of_ascii_change(function: str, engine: pl.EngineType) -> None:
    rule = Rule(f"s.{function}()", {"s": "string"})
    frame = pl.LazyFrame({"s": [*TEXTS, None]})
    expected = [rule.evaluate({"s": text}) for text in TEXTS]
    assert frame.select(made=rule.polars()).collect(engine=engine)["made"].to_list() == [*expected, None]


@pytest.mark.parametrize("texts", [[], [None], ["É"], [None, "A", None]])
def test_tables_of_few_rows(texts: list[str | None]) -> None:
    frame = pl.DataFrame({"s": texts}, schema={"s": pl.String})
    made = frame.select(made=Rule("s.lowerAscii()", {"s": "string"}).polars())["made"]
    assert made.dtype == pl.String
    assert made.to_list() == [None if text is None else text.replace("A", "a") for text in texts]


def test_of_the_elements_of_a_list() -> None:
    lists = [["Ab", "É"], [], None, ["ab"], ["É", "AB"]]
    rule = Rule('l.exists(e, e.lowerAscii() == "ab")', {"l": "list(string)"})
    frame = pl.DataFrame({"l": lists}, schema={"l": pl.List(pl.String)})
    assert frame.select(found=rule.polars())["found"].to_list() == [True, False, None, True, True]
    mapped = Rule("l.map(e, e.upperAscii())", {"l": "list(string)"})
    assert frame.select(made=mapped.polars())["made"].to_list() == [
        None if texts is None else [text.upper() for text in texts] for texts in lists
    ]
