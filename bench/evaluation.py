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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segserver.client import Client
from segserver.v1 import segmentation_service_pb2 as pb
from segserver.v1 import value_pb2

METHOD = "/segserver.v1.SegmentationService/EvaluateSegments"
CALLS = 20_000
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
    with _running([*serve, "--ready-file", str(folder / "ready")], folder / "ready") as address:
        key = (folder / "data" / "dev.key").read_text()
        with Client(address, api_key=key) as client:
            client.upsert_profile("somebody", ATTRIBUTES)
            client.evaluate("somebody", "analytics")
        reply = _reply(address, key, request)
        (folder / "reply").write_bytes(reply.SerializeToString())
        noop = [str(Path(__file__).parent / "noop_server.py"), str(folder / "reply"), str(folder / "noop")]
        with _running(noop, folder / "noop") as bare:
            ours, theirs = [], []
            for _ in range(3):  # in turns, so that a change of the machine's mood meets both
                theirs.append(_rate(folder, bare, request, key))
                ours.append(_rate(folder, address, request, key))
            bare_p99_ms = _p99_ms(folder, bare, request, key, rate=int(max(ours) / 2))
            p99_ms = _p99_ms(folder, address, request, key, rate=int(max(ours) / 2))
        calls, yardstick = max(ours), max(theirs)
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
            "name": "its 99th percentile at half load",
            "value": p99_ms,
            "unit": "ms",
            "yardstick": "the no-op at the same rate",
            "yardstick_value": bare_p99_ms,
            "ratio": p99_ms / bare_p99_ms,
            "budget": "≤ 5 ms",
            "ok": p99_ms <= 5.0,
        },
    ]


@contextmanager
def _running(arguments: list[str], ready: Path) -> Iterator[str]:
    """A Python process that writes its address to ``ready``."""
    process = subprocess.Popen([sys.executable, *arguments], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready.exists() or not ready.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(arguments[:3])} did not start")
            time.sleep(0.01)
        yield ready.read_text()
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


def _h2load(folder: Path, address: str, request: Any, key: str, *options: str) -> str:
    body = request.SerializeToString()
    payload = folder / "payload"
    payload.write_bytes(b"\0" + len(body).to_bytes(4, "big") + body)
    headers = ["content-type: application/grpc", "te: trailers", f"authorization: Bearer {key}"]
    flags = [flag for header in headers for flag in ("-H", header)]
    command = ["h2load", *options, "-t", "1", "-d", str(payload), *flags, f"http://{address}{METHOD}"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if not re.search(r"status codes: \d+ 2xx, 0 3xx, 0 4xx, 0 5xx", output):
        raise RuntimeError(output)
    return output


def _rate(folder: Path, address: str, request: Any, key: str) -> float:
    """Calls a second at full load."""
    output = _h2load(folder, address, request, key, "-n", str(CALLS), "-c", "8", "-m", "8")
    return float(re.search(r"([\d.]+) req/s", output)[1])  # type: ignore[index]


def _p99_ms(folder: Path, address: str, request: Any, key: str, *, rate: int) -> float:
    """The 99th percentile of the time to the end of a reply, at a steady rate over 8 connections."""
    log = folder / "times"
    options = ["-n", str(rate * 5), "-c", "8", "-m", "8", f"--rps={max(1, rate // 8)}", f"--log-file={log}"]
    _h2load(folder, address, request, key, *options)
    times = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    return times[int(len(times) * 0.99)] / 1000
