"""The same 20 rules beside Cerbos's server, both with their decisions logged, in one run.

Cerbos (Apache-2.0) is a server of authorization decisions whose conditions are CEL, too. Its binary is what
``SEGSERVER_CERBOS`` names, or ``cerbos`` on the path; npm has it as ``@cerbos/cerbos-linux-x64``. The two do
not do the same work: it keeps no attributes, so that each request brings them, and does not wait for its log;
we read an encrypted profile, ask the gate, and answer when the entry is durable."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.struct_pb2 import Struct

from bench.doors import _TICK_S, _ticks
from bench.evaluation import ATTRIBUTES, RULES, SEGMENTS, START_TIMEOUT_S, _h2load
from bench.workers import CALLS, CONNECTIONS, key, rate, requests_s, serving
from segserver.client import Client

METHOD = "/cerbos.svc.v1.CerbosService/CheckResources"
ROUNDS = 3
BUCKET = "bucket('campaign')"
"""Cerbos has no such function: its request brings the number."""


def rows() -> list[dict[str, Any]]:
    """Calls a second, each server with one processor's worth of threads."""
    binary = os.environ.get("SEGSERVER_CERBOS") or shutil.which("cerbos")
    if binary is None or shutil.which("h2load") is None:
        print("cerbos: skipped, needs h2load, and Cerbos (npm @cerbos/cerbos-linux-x64) in SEGSERVER_CERBOS")
        return []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving(folder / "ours", 1) as ours, _cerbos(binary, folder / "theirs") as (http, grpc, pid):
            _check_same(folder / "ours", ours, http)
            rates: dict[str, list[float]] = {"ours": [], "theirs": []}
            spent_us = []
            for _ in range(ROUNDS):
                rates["ours"].append(rate(folder / "ours", ours))
                before = _ticks(pid)
                options = ["-n", str(CALLS), "-c", str(CONNECTIONS), "-m", "4"]
                output = _h2load(folder, grpc, _request(), "", *options, method=METHOD)
                rates["theirs"].append(requests_s(output))
                spent_us.append((_ticks(pid) - before) * _TICK_S / CALLS * 1e6)
        logged = sum(path.stat().st_size for path in (folder / "theirs").glob("decisions*"))
    if logged < CALLS:
        raise RuntimeError("Cerbos logged no decisions")
    ours_s, theirs_s = max(rates["ours"]), max(rates["theirs"])
    return [
        {
            "name": f"{SEGMENTS} rules, decisions logged",
            "value": ours_s,
            "unit": "calls/s",
            "yardstick": "Cerbos, one processor, attributes in the request",
            "yardstick_value": theirs_s,
            "ratio": ours_s / theirs_s,
        },
        {
            "name": "processor time of Cerbos for such a call",
            "value": min(spent_us),
            "unit": "µs",
        },
    ]


def _attributes() -> dict[str, Any]:
    made = {name: list(value) if isinstance(value, tuple) else value for name, value in ATTRIBUTES.items()}
    last: Any = made["last_order"]
    return {**made, "last_order": last.astimezone(dt.UTC).isoformat().replace("+00:00", "Z"), "bucket": 0.25}


def _condition(rule: str) -> str:
    """One of our rules in Cerbos's terms."""
    rule = rule.replace(BUCKET, "bucket").replace("now -", "now() -")
    names = "|".join(_attributes())
    rule = re.sub(rf"(?<![\w'\"])({names})\b", r"R.attr.\1", rule)
    return rule.replace("R.attr.last_order", "timestamp(R.attr.last_order)")


def _policy() -> str:
    rules = [
        {
            "actions": [f"s{number}"],
            "effect": "EFFECT_ALLOW",
            "roles": ["*"],
            "condition": {"match": {"expr": _condition(rule)}},
        }
        for number, rule in enumerate(RULES)
    ]
    policy = {"resource": "customer", "version": "default", "rules": rules}
    return json.dumps({"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": policy})


@contextmanager
def _cerbos(binary: str, folder: Path) -> Iterator[tuple[str, str, int]]:
    """Cerbos's server with the rules: its addresses for HTTP and gRPC, and its process."""
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "customer.json").write_text(_policy())
    http, grpc = (f"127.0.0.1:{_free_port()}" for _ in range(2))
    settings = {
        "server": {"httpListenAddr": http, "grpcListenAddr": grpc},
        "storage": {"driver": "disk", "disk": {"directory": str(folder / "policies")}},
        "audit": {
            "enabled": True,
            "accessLogsEnabled": False,
            "decisionLogsEnabled": True,
            "backend": "file",
            "file": {"path": str(folder / "decisions.log")},
        },
        "telemetry": {"disabled": True},
    }
    (folder / "cerbos.json").write_text(json.dumps(settings))
    command = [binary, "server", "--config", str(folder / "cerbos.json"), "--log-level", "error"]
    environment = {**os.environ, "GOMAXPROCS": "1", "CERBOS_NO_TELEMETRY": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _is_healthy(http):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("Cerbos did not start")
            time.sleep(0.05)
        yield http, grpc, process.pid
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/_cerbos/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _check_same(folder: Path, ours: str, http: str) -> None:
    """Raises unless both say the same of each rule but the one whose function only we have."""
    with Client(ours, api_key=key(folder)) as client:
        client.upsert_profile("somebody", ATTRIBUTES)
        members = set(client.evaluate("somebody", "analytics").members)
    resource = {"kind": "customer", "id": "somebody", "attr": _attributes()}
    actions = [f"s{number}" for number in range(len(RULES))]
    asked = {"principal": {"id": "bench", "roles": ["evaluator"]}}
    body = {**asked, "resources": [{"actions": actions, "resource": resource}]}
    request = urllib.request.Request(
        f"http://{http}/api/check/resources",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        effects = json.load(reply)["results"][0]["actions"]
    for number, rule in enumerate(RULES):
        allowed = effects[f"s{number}"] == "EFFECT_ALLOW"
        if BUCKET not in rule and allowed != (f"bench/s{number}" in members):
            raise RuntimeError(f"Cerbos says otherwise of {rule}")


def _request() -> bytes:
    """A CheckResourcesRequest, written by hand: field numbers are those of Cerbos's public API."""
    attributes = Struct()
    attributes.update(_attributes())
    entries = b"".join(
        _field(4, _field(1, name.encode()) + _field(2, value.SerializeToString()))
        for name, value in attributes.fields.items()
    )
    principal = _field(1, b"bench") + _field(3, b"evaluator")
    resource = _field(1, b"customer") + _field(3, b"somebody") + entries
    actions = b"".join(_field(1, f"s{number}".encode()) for number in range(len(RULES)))
    return _field(3, principal) + _field(4, actions + _field(2, resource))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of less than 16 KiB (Protocol Buffers encoding)."""
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + length + content
