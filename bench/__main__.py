"""Runs the benchmarks: ``python -m bench [MODULE...] [--json FILE]``.

Every module of this folder with a function ``rows()`` is one. It returns a list of dictionaries, one for each
thing measured: ``name``, ``value``, ``unit``, and, where there is something to compare with in the same run,
``yardstick`` (its name), ``yardstick_value`` (in the same unit), ``ratio`` (as the module says), ``budget``
(in words) and ``ok`` (whether the budget is kept). Exit code 1 says that a benchmark failed; a budget that is
not kept is in the table."""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import json
import os
import platform
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).resolve().parent
FAILED = "failed"
PAGE_TABLE = re.compile(r"<!-- bench -->.*?<!-- /bench -->", re.DOTALL)
"""Where a page has the table."""


def modules() -> list[str]:
    """The names of the benchmark modules; the others help them. None is imported to find out."""
    return sorted(
        path.stem for path in FOLDER.glob("*.py") if "\ndef rows(" in path.read_text(encoding="utf-8")
    )


def run(name: str) -> list[dict[str, Any]]:
    """The rows of one module, each with the module's name; a failure is a row, too."""
    try:
        rows = importlib.import_module(f"bench.{name}").rows()
    except Exception as error:
        traceback.print_exc()
        rows = [{"name": FAILED, "budget": f"{type(error).__name__}: {error}", "ok": False}]
    return [{"module": name, **row} for row in rows]


def number(value: object) -> str:
    """A measurement with three significant digits."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows: list[dict[str, Any]]) -> Table:
    """The rows for people."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("what")
    made.add_column("measured", justify="right")
    made.add_column("yardstick")
    made.add_column("measured", justify="right")
    made.add_column("ratio", justify="right")
    made.add_column("budget")
    made.add_column("kept")
    for row in rows:
        unit = row.get("unit", "")
        made.add_row(
            f"{row['module']}: {row['name']}",
            f"{number(row.get('value'))} {unit}".strip(),
            row.get("yardstick") or "",
            f"{number(row.get('yardstick_value'))} {unit}".strip()
            if row.get("yardstick_value") is not None
            else "",
            number(row.get("ratio")),
            str(row.get("budget") or ""),
            {True: "yes", False: "NO"}.get(row.get("ok"), ""),
        )
    return made


def markdown(rows: list[dict[str, Any]]) -> str:
    """The rows as a table of a page, between the comments that mark its place."""
    lines = [
        "| what | measured | yardstick | measured | ratio | budget | kept |",
        "|---|---:|---|---:|---:|---|---|",
    ]
    for row in rows:
        unit = row.get("unit", "")
        yardstick = row.get("yardstick_value")
        cells = [
            row["name"],
            f"{number(row.get('value'))} {unit}".strip(),
            row.get("yardstick") or "",
            "" if yardstick is None else f"{number(yardstick)} {unit}".strip(),
            number(row.get("ratio")),
            str(row.get("budget") or ""),
            {True: "yes", False: "**no**"}.get(row.get("ok"), ""),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    text = "\n".join(lines)
    return f"<!-- bench -->\n{text}\n<!-- /bench -->"


def main() -> int:
    """Runs the wanted modules, prints the table, writes the JSON."""
    names = modules()
    parser = argparse.ArgumentParser(prog="python -m bench", description="Runs the benchmarks.")
    parser.add_argument(
        "modules", nargs="*", metavar="MODULE", help=f"one of {', '.join(names)}; default: all"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here, too")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table into this page, too")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.modules) - set(names)):
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    rows: list[dict[str, Any]] = []
    for name in arguments.modules or names:
        print(f"{name} …", file=sys.stderr, flush=True)
        rows += run(name)
    Console().print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n")
    if arguments.page:
        page = arguments.page.read_text(encoding="utf-8")
        arguments.page.write_text(PAGE_TABLE.sub(lambda _: markdown(rows), page), encoding="utf-8")
    return 1 if any(row["name"] == FAILED for row in rows) else 0


def machine() -> dict[str, Any]:
    """What the numbers were measured on; ratios carry over to other machines better than they do."""
    return {
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
    }


if __name__ == "__main__":
    sys.exit(main())
