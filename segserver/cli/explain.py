"""``segserver explain``."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from segserver.cli._output import console, json_option, outcome_text, time_text, write_json
from segserver.cli._request import brought_attributes, reason_of, request_options
from segserver.cli._server import Server

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from segserver.client import Explanation, ExplanationNode

MARKS = {1: ("true ", "green"), 2: ("false", "red"), 3: ("?    ", "yellow"), 0: ("     ", "dim")}
"""By truth: words of one width, so that nothing depends on the colour."""


@click.command("explain")
@click.argument("subject")
@click.argument("segment")
@request_options
@json_option
def command(
    subject: str,
    segment: str,
    purpose: str,
    pairs: tuple[str, ...],
    at: dt.datetime | None,
    server: Server,
    as_json: bool,
) -> None:
    """Why is this subject in this segment, or why not?

    Shows the rule as a tree, with the truth of every part, and the smallest set of conditions that would
    have to change. Values are shown to callers that may see them.

    \b
    Example:
      segserver explain customer:1042 retail/new --purpose marketing
    """
    with server.connect() as client:
        explanation = client.explain(subject, segment, purpose, brought_attributes(client, pairs), at)
    if as_json:
        write_json(explanation)
    else:
        _print(explanation)


def _print(explanation: Explanation) -> None:
    from rich.text import Text

    out, result = console(), explanation.result
    headline = Text(f"{result.segment}: ")
    headline.append_text(outcome_text(result.outcome))
    out.print(headline)
    if reason := reason_of(result):
        out.print(f"  {reason}")
    out.print()
    out.print(_tree(explanation.tree))
    if explanation.smallest_change:
        out.print()
        out.print("To change that, this would have to change:")
        for condition in explanation.smallest_change:
            now, needed = MARKS[condition.truth][0].strip(), MARKS[condition.needed][0].strip()
            out.print(
                f"  {condition.expression}  is {'unknown' if now == '?' else now}, would have to be {needed}"
            )
    out.print()
    out.print(
        f"as of {time_text(explanation.evaluate_time)}, catalog {explanation.catalog_digest[:19]}…, "
        "? stands for unknown"
    )


def _tree(node: ExplanationNode, tree: Tree | None = None) -> Tree:
    from rich.tree import Tree

    branch = Tree(_line(node), guide_style="dim") if tree is None else tree.add(_line(node))
    for child in node.children:
        _tree(child, branch)
    return branch


def _line(node: ExplanationNode) -> Text:
    from rich.text import Text

    word, style = MARKS[node.truth]
    line = Text(word, style=style)
    line.append(f"  {node.expression}", style="")
    if node.definition_of:
        line.append(f"  (which is {node.definition_of})", style="dim")
    if node.value:
        line.append(f"  = {node.value}", style="cyan")
    if node.unknown_attributes and not node.children:
        line.append(f"  (unknown: {', '.join(node.unknown_attributes)})", style="yellow")
    return line
