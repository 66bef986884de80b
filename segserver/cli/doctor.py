"""``segserver doctor``: is this installation sound?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from segserver.cli._failure import Exit
from segserver.cli._output import console, json_option, table, write_json

if TYPE_CHECKING:
    from segserver.engine.doctor import Finding

STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}


@click.command("doctor")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), help="The server's settings."
)
@click.option(
    "--data-dir",
    envvar="SEGSERVER_DATA_DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where a server on this machine keeps its data; .data without it or a setting.",
)
@json_option
def command(config_file: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Examine an installation, with or without a running server, and say what to do.

    Libraries, files, disk, plugins, keys, certificate, store, clock, audit log and catalog are looked at.
    The exit code is 1 when something is wrong; a warning alone is not.

    \b
    Example:
      segserver doctor --data-dir .data
    """
    from segserver.config import load
    from segserver.engine.build import system_clock_us
    from segserver.engine.doctor import examine
    from segserver.observe import logs

    logs.configure()
    findings = examine(load(config_file, data_dir=data_dir), system_clock_us())
    sound = all(finding.state != "failed" for finding in findings)
    if as_json:
        write_json({"sound": sound, "findings": findings})
    else:
        _show(findings)
    if not sound:
        sys.exit(Exit.PROBLEM)


def _show(findings: Sequence[Finding]) -> None:
    from rich.text import Text

    made = table("check", "", "what was found")
    for finding in findings:
        says = finding.says + (f"\n→ {finding.do}" if finding.do else "")
        made.add_row(finding.check, Text(finding.state, style=STYLES[finding.state]), says)
    console().print(made)
