"""Every hook is documented for plugin teams, and implemented by some test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segserver.strategies import hookspecs

ROOT = Path(__file__).resolve().parent.parent.parent
HOOKS = [name for name in vars(hookspecs) if name.startswith("segserver_")]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented(hook: str) -> None:
    text = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{hook}\(\)` \|", text, re.MULTILINE), f"no row about {hook}"
    assert f"Example::\n\n        @hookimpl\n        def {hook}" in (getattr(hookspecs, hook).__doc__ or "")


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_implemented_in_a_test(hook: str) -> None:
    tests = [file for folder in ("tests", "plugins") for file in (ROOT / folder).rglob("*.py")]
    assert any(f"def {hook}(" in file.read_text(encoding="utf-8") for file in tests)
