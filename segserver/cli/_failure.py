"""Errors as one clear message and an exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import click

from segserver import errors
from segserver.cli._output import visible


class Exit(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    PROBLEM = 1
    USAGE = 2
    UNREACHABLE = 3
    DENIED = 4
    NOT_FOUND = 5


EXIT_CODES = """\b
Exit codes:
  0  done
  1  a problem was found: a wrong catalog, a rejected row, a refused request
  2  wrong usage
  3  no server, or it can't answer now; a store or a port that can't be used
  4  the caller is not known, or may not
  5  no such subject, segment, strategy or version
"""

_CODES: dict[type[errors.SegserverError], Exit] = {
    errors.Unavailable: Exit.UNREACHABLE,
    errors.DeadlineExceeded: Exit.UNREACHABLE,
    errors.Unauthenticated: Exit.DENIED,
    errors.PermissionDenied: Exit.DENIED,
    errors.NotFound: Exit.NOT_FOUND,
}


def exit_code(error: errors.SegserverError) -> Exit:
    """The exit code that stands for an error. Wrong settings are wrong usage, wherever they stand."""
    if error.reason == "CONFIG_INVALID":
        return Exit.USAGE
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), Exit.PROBLEM)


def as_data(error: errors.SegserverError) -> dict[str, Any]:
    """An error for ``--json``."""
    return {
        "reason": error.reason,
        "message": error.message,
        "metadata": error.metadata,
        "violations": [{"field": v.field, "description": v.description} for v in error.violations],
    }


def show(error: errors.SegserverError) -> None:
    """Writes an error to stderr, as JSON when the command was asked for JSON."""
    context = click.get_current_context(silent=True)
    if context is not None and context.meta.get("segserver.json"):
        click.echo(json.dumps({"error": as_data(error)}), err=True)
        return
    _say(error.message)
    for violation in error.violations:
        if violation.description.removesuffix("…") not in error.message:  # the server shortens long ones
            click.echo(visible(f"  {violation.field}: {violation.description}"), err=True)


@contextmanager
def told() -> Iterator[None]:
    """Turns an error of ours, and click's of wrong usage, into one message and an exit code."""
    try:
        yield
    except errors.SegserverError as error:
        show(error)
        raise SystemExit(exit_code(error)) from error
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(error.ctx.get_usage(), err=True)
            click.echo(f"Try '{error.ctx.command_path} --help' for help.\n", err=True)
        _say(error.format_message())
        raise SystemExit(error.exit_code) from error


def _say(message: str) -> None:
    click.echo(f"{click.style('error', fg='red', bold=True)}: {visible(message)}", err=True)
