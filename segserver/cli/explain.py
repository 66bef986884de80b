"""``segserver explain``."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from segserver.cli._output import console, json_option, outcome_text, short_digest, time_text, write_json
from segserver.cli._request import brought_attributes, reason_of, request_options
from segserver.cli._server import Server

if TYPE_CHECKING:
    from segserver.client import Explanation


@click.command("explain")
@click.argument("subject")
@click.argument("segment")
@click.option("--full", is_flag=True, help="Show how traits are derived too, down to every constant.")
@request_options
@json_option
def command(
    subject: str,
    segment: str,
    full: bool,
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
        _print(explanation, full=full)


def _print(explanation: Explanation, *, full: bool) -> None:
    from rich.text import Text

    from segserver.cli._explanation import WORDS, tree_of

    out, result = console(), explanation.result
    headline = Text(f"{result.segment}: ")
    headline.append_text(outcome_text(result.outcome))
    out.print(headline)
    if reason := reason_of(result):
        out.print(f"  {reason}")
    out.print()
    out.print(tree_of(explanation.tree, full=full))
    if explanation.smallest_change:
        out.print()
        out.print("To change that, this would have to change:")
        for condition in explanation.smallest_change:
            now, needed = WORDS[condition.truth], WORDS[condition.needed]
            out.print(f"  {condition.expression}  is {now}, would have to be {needed}")
    out.print()
    out.print(
        f"as of {time_text(explanation.evaluate_time)}, catalog {short_digest(explanation.catalog_digest)}"
    )
