"""An audited, gated evaluation over gRPC beside a bare server of the same messages, in one run.

Driven by h2load (Debian: nghttp2-client), which costs the machine little; without it, there is nothing to
measure with."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench import open_loop
from segserver.client import Client
from segserver.v1 import segmentation_service_pb2 as pb
from segserver.v1 import value_pb2

METHOD = "/segserver.v1.SegmentationService/EvaluateSegments"
CALLS = 10_000
ROUNDS = 5
MEASURED_S = 8.0
SEGMENTS = 20
START_TIMEOUT_S = 30.0

CATALOG = """
purposes:
  analytics:
    legal_basis: legitimate_interest
    categories: [demographic, behavioral, location, financial]
attributes:
  age: {type: int, category: demographic}
  income: {type: double, category: financial}
  country: {type: string, category: location}
  orders: {type: int, category: behavioral}
  spend: {type: double, category: behavioral}
  newsletter: {type: bool, category: behavioral}
  interests: {type: list(string), category: behavioral}
  last_order: {type: timestamp, category: behavioral}
segments:
"""

RULES = [
    "age >= 18 && age < 25",
    "age >= 25 && age < 45",
    "age >= 45",
    'country == "GB"',
    'country in ["DE", "AT", "CH"]',
    "income > 50000.0",
    "orders > 3 && spend > 500.0",
    "newsletter",
    "!newsletter && orders > 0",
    '"garden" in interests',
    "interests.exists(i, i.startsWith('out'))",
    'last_order > now - duration("720h")',
    'last_order <= now - duration("8760h")',
    "age >= 30 && income > 30000.0 && country == 'GB'",
    "spend / double(orders) > 75.0",
    "orders > 10 || spend > 2000.0",
    "age < 30 ? orders > 1 : orders > 5",
    "size(interests) >= 3",
    "country != 'US' && newsletter",
    "bucket('campaign') < 0.5",
]

ATTRIBUTES = {
    "age": 37,
    "income": 42_000.0,
    "country": "GB",
    "orders": 5,
    "spend": 410.0,
    "newsletter": True,
    "interests": ("garden", "outdoors", "cooking"),
    "last_order": dt.datetime(2026, 10, 30, 12, tzinfo=dt.UTC),
}


def rows() -> list[dict[str, Any]]:
    """Throughput and tail latency, each beside its yardstick."""
    if shutil.which("h2load") is None:
        print("evaluation: skipped, h2load is not installed (Debian: apt-get install nghttp2-client)")
        return []
    with tempfile.TemporaryDirectory() as folder:
        return _measure(Path(folder))


def _measure(folder: Path) -> list[dict[str, Any]]:
    catalog = folder / "catalog"
    catalog.mkdir()
    segments = "".join(f"  - {{id: bench/s{n}, rule: {rule!r}}}\n" for n, rule in enumerate(RULES))
    (catalog / "catalog.yaml").write_text(CATALOG + segments)
    request = pb.EvaluateSegmentsRequest(subject=value_pb2.SubjectId(id="somebody"), purpose="analytics")
    serve = ["-m", "segserver", "serve", "--dev", "--listen", "127.0.0.1:0"]
    serve += ["--data-dir", str(folder / "data"), "--catalog", str(catalog)]
    with _started([*serve, "--ready-file", str(folder / "ready")], folder / "ready") as server:
        key = (folder / "data" / "dev.key").read_text()
        with Client(server.address, api_key=key) as client:
            client.upsert_profile("somebody", ATTRIBUTES)
            client.evaluate("somebody", "analytics")
        reply = _reply(server.address, key, request)
        (folder / "reply").write_bytes(reply.SerializeToString())
        noop = [str(Path(__file__).parent / "noop_server.py"), str(folder / "reply"), str(folder / "noop")]
        with _started(noop, folder / "noop") as bare:
            ours, theirs = [], []
            for _ in range(ROUNDS):  # in turns, so that a change of the machine's mood meets both
                theirs.append(_loaded(folder, bare, request, key))
                ours.append(_loaded(folder, server, request, key))
            calls, yardstick = (max(rate for rate, _ in rounds) for rounds in (ours, theirs))
            spent_us, bare_us = (min(spent for _, spent in rounds) for rounds in (ours, theirs))
            (folder / "request").write_bytes(request.SerializeToString())
            bare_ms, took_ms = (
                open_loop.took_ms(
                    each.address, METHOD, folder / "request", key, rate=calls / 2, seconds=MEASURED_S
                )
                for each in (bare, server)
            )
    return [
        {
            "name": f"audited, gated evaluation of {SEGMENTS} segments over gRPC",
            "value": calls,
            "unit": "calls/s",
            "yardstick": "bare grpc.aio + uvloop no-op",
            "yardstick_value": yardstick,
            "ratio": calls / yardstick,
            "budget": "≥ 0.6",
            "ok": calls / yardstick >= 0.6,
        },
        {
            "name": "its processor time, all threads",
            "value": spent_us,
            "unit": "µs",
            "yardstick": "bare grpc.aio + uvloop no-op",
            "yardstick_value": bare_us,
            "ratio": bare_us / spent_us,
        },
        *(_quantile_row(share, took_ms, bare_ms) for share in (0.5, 0.99)),
    ]


def _quantile_row(share: float, took_ms: Sequence[float], bare_ms: Sequence[float]) -> dict[str, Any]:
    value, yardstick = (times[int(len(times) * share)] for times in (took_ms, bare_ms))
    row = {
        "name": f"its {share * 100:g}th percentile at half load",
        "value": value,
        "unit": "ms",
        "yardstick": "the no-op at the same rate",
        "yardstick_value": yardstick,
        "ratio": value / yardstick,
    }
    return row | ({"budget": "≤ 5 ms", "ok": value <= 5.0} if share == 0.99 else {})


@contextmanager
def _running(arguments: list[str], ready: Path) -> Iterator[str]:
    """The address of a Python process that writes it to ``ready``."""
    with _started(arguments, ready) as server:
        yield server.address


class Server(NamedTuple):
    """A process that listens."""

    address: str
    pid: int


@contextmanager
def _started(arguments: list[str], ready: Path) -> Iterator[Server]:
    """A Python process that writes its address to ``ready``."""
    process = subprocess.Popen([sys.executable, *arguments], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready.exists() or not ready.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(arguments[:3])} did not start")
            time.sleep(0.01)
        yield Server(ready.read_text(), process.pid)
    finally:
        process.terminate()
        process.wait(10)


def _reply(address: str, key: str, request: pb.EvaluateSegmentsRequest) -> pb.EvaluateSegmentsResponse:
    import grpc

    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(
            METHOD,
            request_serializer=pb.EvaluateSegmentsRequest.SerializeToString,
            response_deserializer=pb.EvaluateSegmentsResponse.FromString,
        )
        return call(request, metadata=[("authorization", f"Bearer {key}")], timeout=5)


def _h2load(folder: Path, address: str, request: Any, key: str, *options: str, method: str = METHOD) -> str:
    body = request if isinstance(request, bytes) else request.SerializeToString()
    payload = folder / "payload"
    payload.write_bytes(b"\0" + len(body).to_bytes(4, "big") + body)
    headers = ["content-type: application/grpc", "te: trailers", f"authorization: Bearer {key}"]
    flags = [flag for header in headers for flag in ("-H", header)]
    command = ["h2load", *options, "-t", "1", "-d", str(payload), *flags, f"http://{address}{method}"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if not re.search(r"status codes: \d+ 2xx, 0 3xx, 0 4xx, 0 5xx", output):
        raise RuntimeError(output)
    return output


def _loaded(folder: Path, server: Server, request: Any, key: str) -> tuple[float, float]:
    """Calls a second at full load, and microseconds of the server's processor time for each."""
    address, pid = server
    before_us = _spent_us(pid)
    output = _h2load(folder, address, request, key, "-n", str(CALLS), "-c", "8", "-m", "8")
    rate = float(re.search(r"([\d.]+) req/s", output)[1])  # type: ignore[index]
    return rate, (_spent_us(pid) - before_us) / CALLS


def _spent_us(pid: int) -> float:
    """The processor time of a process so far, all of its threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1_000
