"""What ``evaluate`` and ``explain`` have in common."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from segserver.cli._server import server_options
from segserver.cli._text import brought, time_of

if TYPE_CHECKING:
    from segserver.client import Client, SegmentResult
    from segserver.model import Value

F = TypeVar("F", bound=Callable[..., Any])


class Time(click.ParamType[dt.datetime]):
    """A date or a time in ISO 8601; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        """The moment, aware."""
        if isinstance(value, dt.datetime):
            return value
        try:
            return time_of(value)
        except ValueError:
            self.fail("write it like 2026-03-01 or 2026-03-01T12:30:00Z", param, ctx)


def request_options(command: F) -> F:
    """Adds ``--purpose``, ``--attribute``, ``--at`` and the options that name a server."""
    options = [
        click.option("--purpose", "-p", required=True, metavar="NAME", help="What the answer is for."),
        click.option(
            "--attribute",
            "-a",
            "pairs",
            multiple=True,
            metavar="NAME=VALUE",
            help="An attribute for this answer alone, not stored; a list's items are separated by commas.",
        ),
        click.option("--at", type=Time(), help="The moment to evaluate as of; UTC unless it says otherwise."),
    ]
    return functools.reduce(lambda made, option: option(made), reversed(options), server_options(command))


def brought_attributes(client: Client, pairs: tuple[str, ...]) -> dict[str, Value]:
    """The attributes of ``--attribute``, with the types of the serving catalog."""
    return brought(pairs, lambda: {attribute.name: attribute for attribute in client.attributes()})


def reason_of(result: SegmentResult) -> str:
    """In words, what stood in the way of settling a segment; empty for a settled one that needs no review."""
    if result.withheld and result.reason:
        return result.reason  # the subject is not evaluated at all: it hides every attribute alike
    withheld: dict[str, list[str]] = {}
    for item in result.withheld:
        withheld.setdefault(item.reason, []).append(item.attribute)
    parts = [f"{reason}: {', '.join(names)}" for reason, names in withheld.items()]
    if result.missing:
        parts.append(f"no value: {', '.join(result.missing)}")
    if result.failed_traits:
        parts.append(f"{result.reason}: {', '.join(result.failed_traits)}")
    elif result.reason:
        parts.append(result.reason)
    if result.human_review:
        parts.append("a person must decide")
    return "; ".join(parts)
