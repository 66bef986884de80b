"""Every page is what runs: sessions, snippets, tables, links."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^(?:<!-- file: (\S+) -->\n)?```([a-z]+)\n.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def test_sessions_print_what_the_page_says(
    played: Path, sessions: ModuleType, request: pytest.FixtureRequest
) -> None:
    if sessions.needs_data(played):
        request.getfixturevalue("shared_data")
    assert sessions.normal(sessions.rewritten(played)) == sessions.normal(played.read_text(encoding="utf-8"))


def test_tables_say_what_the_code_says(page: Path, reference: ModuleType) -> None:
    assert reference.rewritten(page) == page.read_text(encoding="utf-8"), "run scripts/reference.py"


def test_nothing_that_could_run_is_outside_a_session(page: Path, sessions: ModuleType) -> None:
    text = page.read_text(encoding="utf-8")
    first = next((p.start() for p in sessions.PART.finditer(text) if p["session"]), len(text))
    left = [
        f"line {text.count(chr(10), 0, fence.start()) + 1}"
        for fence in FENCE.finditer(text)
        if fence[2] in ("python", "console") and fence.start() < first
    ]
    assert not left, f"no <!-- session: NAME --> before the blocks at {left}"


def test_links_lead_somewhere(page: Path) -> None:
    dead = [
        link
        for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))
        if not _leads(page, link)
    ]
    assert not dead


def _leads(page: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return True
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    text = CODE.sub(
        lambda found: "" if found[0].startswith("```") else found[0], page.read_text(encoding="utf-8")
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}
