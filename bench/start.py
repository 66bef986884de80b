"""From the command to the first answer with 1,000 segments, and what a worker holds in memory then."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.evaluation import CATALOG, RULES
from segserver.client import Client

SEGMENTS = 1_000
STARTS = 3


def rows() -> list[dict[str, Any]]:
    """The best of three starts on an existing store, and the resident memory of the last."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        segments = "".join(
            f"  - {{id: bench/s{n}, rule: {RULES[n % len(RULES)].replace('18', str(18 + n // 20))!r}}}\n"
            for n in range(SEGMENTS)
        )
        catalog = folder / "catalog"
        catalog.mkdir()
        (catalog / "catalog.yaml").write_text(CATALOG + segments)
        _start(folder, "--catalog", str(catalog))  # makes keys, store and the published version
        starts = [_start(folder) for _ in range(STARTS)]
    seconds, megabytes = min(starts)[0], starts[-1][1]
    return [
        _row(f"start to the first answer, {SEGMENTS} segments", seconds, "s", "≤ 2 s", ok=seconds <= 2.0),
        _row("resident memory of a worker then", megabytes, "MB", "≤ 250 MB", ok=megabytes <= 250),
    ]


def _start(folder: Path, *options: str) -> tuple[float, float]:
    """Seconds from the command to the first answer, and megabytes resident then."""
    ready = folder / "ready"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "segserver", "serve", "--dev", "--listen", "127.0.0.1:0"]
    command += ["--data-dir", str(folder / "data"), "--ready-file", str(ready), *options]
    began = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not ready.exists():
            if process.poll() is not None:
                raise RuntimeError("the server did not start")
            time.sleep(0.005)
        with Client(ready.read_text(), api_key=(folder / "data" / "dev.key").read_text()) as client:
            client.evaluate("somebody", "analytics")
        seconds = time.perf_counter() - began
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.terminate()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return seconds, int(resident.split()[1]) / 1024


def _row(name: str, value: float, unit: str, budget: str, *, ok: bool) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "budget": budget, "ok": ok}
