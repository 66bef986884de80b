"""Throughput at one and two workers: the same evaluations, against one server after the other, in turns."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.evaluation import ATTRIBUTES, CATALOG, RULES, SEGMENTS, _h2load, _running
from segserver.client import Client
from segserver.v1 import segmentation_service_pb2 as pb
from segserver.v1 import value_pb2

CALLS, ROUNDS = 8_000, 3
CONNECTIONS = 32
"""Enough for the system to give each worker about as many."""
REQUEST = pb.EvaluateSegmentsRequest(subject=value_pb2.SubjectId(id="somebody"), purpose="analytics")


def rows() -> list[dict[str, Any]]:
    """Calls a second of two workers, beside one; the load generator takes its part of the same processors."""
    if shutil.which("h2load") is None:
        print("workers: skipped, h2load is not installed (Debian: apt-get install nghttp2-client)")
        return []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        servers = {}
        for workers in (1, 2):
            folder = Path(name, str(workers))
            servers[workers] = folder, stack.enter_context(serving(folder, workers))
        best = dict.fromkeys(servers, 0.0)
        for _ in range(ROUNDS):
            for workers, (folder, address) in servers.items():
                best[workers] = max(best[workers], rate(folder, address))
    return [
        {
            "name": f"audited, gated evaluation of {SEGMENTS} segments over gRPC, two workers",
            "value": best[2],
            "unit": "calls/s",
            "yardstick": "one worker",
            "yardstick_value": best[1],
            "ratio": best[2] / best[1],
        }
    ]


def serving(folder: Path, workers: int) -> Any:
    """A server with the rules and nobody's rate limit; a context that gives its address."""
    (folder / "catalog").mkdir(parents=True)
    segments = "".join(f"  - {{id: bench/s{n}, rule: {rule!r}}}\n" for n, rule in enumerate(RULES))
    (folder / "catalog" / "catalog.yaml").write_text(CATALOG + segments)
    (folder / "segserver.toml").write_text(
        f'data_dir = "{folder / "data"}"\ncatalog_dir = "{folder / "catalog"}"\n'
        f'dev = true\nlisten = "127.0.0.1:0"\nworkers = {workers}\n[rates]\ncalls_per_s = 1e9\n'
    )
    ready = folder / "ready"
    command = ["-m", "segserver", "serve", "--config", str(folder / "segserver.toml")]
    return _running([*command, "--ready-file", str(ready)], ready)


def key(folder: Path) -> str:
    """The key of the server's development caller."""
    return (folder / "data" / "dev.key").read_text()


def rate(folder: Path, address: str) -> float:
    """Calls a second at full load."""
    with Client(address, api_key=key(folder)) as client:
        client.upsert_profile("somebody", ATTRIBUTES)
    options = ["-n", str(CALLS), "-c", str(CONNECTIONS), "-m", "4"]
    return requests_s(_h2load(folder, address, REQUEST, key(folder), *options))


def requests_s(output: str) -> float:
    """The rate that h2load tells."""
    return float(output.partition(" req/s")[0].rpartition(" ")[2])
