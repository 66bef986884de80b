"""Runs the benchmarks: ``python -m bench [MODULE...] [--json FILE]``.

Every module of this folder with a function ``rows()`` is one. It returns a list of dictionaries, one for each
thing measured: ``name``, ``value``, ``unit``, and, where there is something to compare with in the same run,
``yardstick`` (its name), ``yardstick_value`` (in the same unit), ``ratio`` (as the module says), ``budget``
(in words) and ``ok`` (whether the budget is kept). Exit code 1 says that a budget was not kept, or that a
benchmark failed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import json
import os
import platform
import sys
import traceback
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).resolve().parent


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
        rows = [{"name": "failed", "budget": f"{type(error).__name__}: {error}", "ok": False}]
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


def main() -> int:
    """Runs the wanted modules, prints the table, writes the JSON."""
    names = modules()
    parser = argparse.ArgumentParser(prog="python -m bench", description="Runs the benchmarks.")
    parser.add_argument(
        "modules", nargs="*", metavar="MODULE", help=f"one of {', '.join(names)}; default: all"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here, too")
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
    return 1 if any(row.get("ok") is False for row in rows) else 0


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
