"""What authentication and limits add to a call: processor time, beside that of the whole call.

What they add is measured inside a live call, over and over with its real context, because it is less than
what the whole call's processor time varies by; the whole call's is that of a server under h2load."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import uvloop
from joserfc import jwk, jwt

from bench.evaluation import ATTRIBUTES, CATALOG, METHOD, RULES, _h2load, _running
from segserver.client import Client
from segserver.config import load
from segserver.engine import build
from segserver.rpc.guard import Guard
from segserver.rpc.handler import _guarded
from segserver.v1 import segmentation_service_pb2 as pb
from segserver.v1 import value_pb2

CALLS = 6_000
REPEATS = 5_000
ROUNDS = 5
ISSUER = "https://id.example"
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")

WITH_PID = """
import os, sys
open(sys.argv.pop(1), "w").write(str(os.getpid()))
from segserver.cli import main
main()
"""
"""The command line, after it has told its process."""

REQUEST = pb.EvaluateSegmentsRequest(subject=value_pb2.SubjectId(id="somebody"), purpose="analytics")


def rows() -> list[dict[str, Any]]:
    """Microseconds of processor time: what the doors add, by API key and by token, to a whole call."""
    if shutil.which("h2load") is None:
        print("doors: skipped, h2load is not installed (Debian: apt-get install nghttp2-client)")
        return []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        token = _settings(folder)
        whole_us = _whole_us(folder)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            added_us = runner.run(_added_us(folder, token))
    return [
        {
            "name": f"authentication ({what}) and limits of a call, processor time",
            "value": added,
            "unit": "µs",
            "yardstick": "the whole call",
            "yardstick_value": whole_us,
            "ratio": added / whole_us,
            "budget": "≤ 0.1",
            "ok": added / whole_us <= 0.1,
        }
        for what, added in added_us.items()
    ]


def _settings(folder: Path) -> str:
    """Writes a server's settings, catalog and token keys; returns a token."""
    (folder / "catalog").mkdir()
    segments = "".join(f"  - {{id: bench/s{n}, rule: {rule!r}}}\n" for n, rule in enumerate(RULES))
    (folder / "catalog" / "catalog.yaml").write_text(CATALOG + segments)
    key = jwk.ECKey.generate_key("P-256", {"kid": "bench"})
    (folder / "keys.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    (folder / "segserver.toml").write_text(
        f'data_dir = "{folder / "data"}"\ncatalog_dir = "{folder / "catalog"}"\n'
        'dev = true\nlisten = "127.0.0.1:0"\n[rates]\ncalls_per_s = 1e9\n'
        f'[jwt]\nissuer = "{ISSUER}"\nkeys_file = "{folder / "keys.json"}"\n'
        '[jwt.roles]\nread = "evaluator"\n[jwt.purposes]\nall = "*"\n'
    )
    claims = {"iss": ISSUER, "aud": "segserver", "sub": "bench", "exp": int(time.time()) + 3_600}
    return jwt.encode(
        {"alg": "ES256", "kid": "bench"}, {**claims, "roles": ["read"], "purposes": ["all"]}, key
    )


def _whole_us(folder: Path) -> float:
    """Processor time of a server for one call, all of its threads included; the least of some rounds."""
    ready = folder / "ready"
    command = ["-c", WITH_PID, str(folder / "pid"), "serve"]
    command += ["--config", str(folder / "segserver.toml"), "--ready-file", str(ready)]
    with _running(command, ready) as address:
        pid, key = int((folder / "pid").read_text()), (folder / "data" / "dev.key").read_text()
        with Client(address, api_key=key) as client:
            client.upsert_profile("somebody", ATTRIBUTES)
        least = float("inf")
        for _ in range(ROUNDS):
            before = _ticks(pid)
            _h2load(folder, address, REQUEST, key, "-n", str(CALLS), "-c", "8", "-m", "8")
            least = min(least, (_ticks(pid) - before) * _TICK_S / CALLS * 1e6)
    return least


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def _added_us(folder: Path, token: str) -> dict[str, float]:
    """What the guard adds to a handler that does nothing, by credential."""
    engine = build(load(folder / "segserver.toml"))
    found: dict[str, float] = {}

    async def nothing(*_: Any) -> bytes:
        return b""

    guarded = _guarded(METHOD, bytes, nothing, Guard(engine))

    async def measure(request: bytes, context: Any) -> bytes:
        spent_us = await _least_us(lambda: guarded(request, context))
        bare_us = await _least_us(lambda: nothing(request, context))
        return str(spent_us - bare_us).encode()

    server = grpc.aio.server()
    service, method = METHOD[1:].split("/")
    handlers = {method: grpc.unary_unary_rpc_method_handler(measure)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for what, credential in (("API key", engine.config.dev_key_path.read_text()), ("token", token)):
            metadata = [("authorization", f"Bearer {credential}")]
            reply = await channel.unary_unary(METHOD)(
                REQUEST.SerializeToString(), metadata=metadata, timeout=300
            )
            found[what] = float(reply)
    await server.stop(None)
    engine.close()
    return found


async def _least_us(call: Callable[[], Awaitable[object]]) -> float:
    least = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(REPEATS):
            await call()
        least = min(least, (time.process_time() - begin) / REPEATS * 1e6)
    return least
