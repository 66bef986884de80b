"""The catalog in the record of decisions is one that resolves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segserver.catalog import resolve
from segserver.strategies.manager import load

RECORD = Path(__file__).parents[2] / "docs" / "adr" / "0002-catalog-files.md"


def test_the_documented_catalog_resolves():
    installed = load()
    if installed.strategy("demographic") is None:
        pytest.skip("the demographic strategy is not installed")
    (text,) = re.findall(r"```yaml\n(.*?)```", RECORD.read_text(encoding="utf-8"), re.DOTALL)
    catalog = resolve({"catalog.yaml": text}, installed)
    assert "demographic/age-18-24" in catalog.segments
    assert "demographic/age-65-plus" not in catalog.segments
    assert catalog.segments["shop/frequent-adult"].purposes == {"marketing"}
