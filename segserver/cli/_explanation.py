"""An explanation as a tree for the terminal: each condition with its truth, in words of one width."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from segserver.cli._output import visible
from segserver.client import Truth

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from segserver.client import ExplanationNode

WORDS = {Truth.TRUE: "true", Truth.FALSE: "false", Truth.UNKNOWN: "unknown", Truth.NONE: ""}
_STYLES = {Truth.TRUE: "green", Truth.FALSE: "red", Truth.UNKNOWN: "yellow", Truth.NONE: "dim"}
_WIDTH = max(map(len, WORDS.values())) + 1

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_SEGMENT = "segments."


def tree_of(node: ExplanationNode, *, full: bool, parent: Tree | None = None) -> Tree:
    """The node and what is below it.

    Without ``full``, only conditions are branches: what a condition compares stands behind it, and a trait
    is taken as it is. Other segments are always taken apart.
    """
    from rich.tree import Tree

    line = _line(node, full=full)
    branch = Tree(line, guide_style="dim") if parent is None else parent.add(line)
    for child in node.children if full else _conditions(node):
        tree_of(child, full=full, parent=branch)
    return branch


def _conditions(node: ExplanationNode) -> Iterator[ExplanationNode]:
    for child in node.children:
        if child.definition_of and not child.definition_of.startswith(_SEGMENT):
            continue
        if child.truth is not Truth.NONE:
            yield child


def _line(node: ExplanationNode, *, full: bool) -> Text:
    from rich.text import Text

    line = Text(f"{WORDS[node.truth]:<{_WIDTH}}", style=_STYLES[node.truth])
    if node.definition_of:
        line.append("by its rule: ", style="dim")
    line.append(visible(node.expression), style="")
    if full:
        facts = [f"= {node.value}"] if node.value and node.truth is Truth.NONE else []
    else:
        facts = list(dict.fromkeys(_facts(node)))
    if facts:
        line.append(visible(f"   [{'; '.join(facts)}]"), style="cyan")
    return line


def _facts(node: ExplanationNode) -> Iterator[str]:
    """What a condition reads, with values where they may be seen."""
    if node.truth is not Truth.NONE and not node.children and _is_name(node):
        if node.unknown_attributes:
            yield f"nothing visible: {', '.join(node.unknown_attributes)}"
        return
    for child in node.children:
        if child.truth is not Truth.NONE or child.definition_of:
            continue
        if not _is_name(child):
            yield from _facts(child)
        elif child.value:
            yield f"{child.expression} = {child.value}"
        elif child.unknown_attributes:
            yield f"{child.expression} unknown, for want of {', '.join(child.unknown_attributes)}"


def _is_name(node: ExplanationNode) -> bool:
    return _NAME.fullmatch(node.expression) is not None
