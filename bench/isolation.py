"""What a plugin host process adds to a code trait, and what a hanging one costs those who do not need it."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from segserver.config import Config, IsolationSettings
from segserver.engine import build
from segserver.engine.corridor import Question
from segserver.model import Caller, SubjectId
from segserver.strategies.host import Host
from segserver.strategies.isolation import messages, traits

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
from plugin_folders import distribution, with_code

CALLS, BATCH, PHASES, QUESTIONS, GAP_S = 1_000, 1_000, 6, 400, 0.004
CODE = """
if text == "hang":
    while True: pass
return text.upper()
"""
CATALOG = """
purposes: {analytics: {legal_basis: legitimate_interest, categories: [behavioral, demographic]}}
strategies: {bench: {}}
attributes: {age: {type: int, category: demographic}}
include: ["bench/*"]
segments: [{id: adult, rule: age >= 18}]
"""
CALLER = Caller("bench", frozenset(), frozenset({"*"}))


def rows() -> list[dict[str, Any]]:
    """Processor time of a trait, here and there; and the tail of other questions beside a hanging trait."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        distribution(folder / "plugins", "bench", with_code("bench", CODE))
        (folder / "catalog.yaml").write_text(CATALOG)
        paths = {"data_dir": folder / "data", "catalog_dir": folder, "plugins_dir": folder / "plugins"}
        endless = IsolationSettings(failures_max=1_000)  # it is to hang again and again
        engine = build(Config(**paths, dev=True, isolation=endless))
        try:
            return [*asyncio.run(_added(engine)), asyncio.run(_beside(engine))]
        finally:
            engine.close()


async def _added(engine: Any) -> list[dict[str, Any]]:
    (trait,) = engine.installed.strategy("bench").resolve().traits
    step = Host().coded("bench.t", trait, {"text": "string"})
    step.scalar("warm")
    found = []
    for count, size in ((CALLS, 1), (CALLS // 50, BATCH)):
        inputs = [messages.row((f"t{n}",)) for n in range(size)]
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(count):
            await traits.ask({step.scalar: inputs})
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        for what, spent in (("elapsed", wall), ("processor time of the server", cpu)):
            name = f"an isolated trait, {size:,} inputs at once, {what} an input"
            found.append({"name": name, "value": spent / count / size * 1e6, "unit": "µs"})
    return found


async def _beside(engine: Any) -> dict[str, Any]:
    """The 99th percentile of questions without the trait: alone, and while others ask for it and it hangs."""

    async def hang(stop: asyncio.Event) -> None:
        while not stop.is_set():
            asked = (_ask(engine, "bench/yes", "hang") for _ in range(8))
            await asyncio.gather(*asked, asyncio.sleep(0.05))

    tails: dict[bool, list[float]] = {False: [], True: []}
    for phase in range(2 * PHASES):
        hanging, stop = bool(phase % 2), asyncio.Event()
        if not hanging:
            stop.set()
        beside = asyncio.create_task(hang(stop))
        times = []
        for _ in range(QUESTIONS):
            began = time.perf_counter()
            await _ask(engine, "adult", "x")
            times.append(time.perf_counter() - began)
            await asyncio.sleep(GAP_S)
        stop.set()
        await beside
        tails[hanging].append(statistics.quantiles(times, n=100)[98] * 1e3)
    alone, beside_hanging = (statistics.median(tails[hanging]) for hanging in (False, True))
    row = {"name": "p99 of other questions beside a hanging strategy", "value": beside_hanging, "unit": "ms"}
    row |= {"yardstick": "alone", "yardstick_value": alone, "ratio": beside_hanging / alone}
    return row | {"budget": "≤ twice", "ok": beside_hanging <= 2 * alone}


async def _ask(engine: Any, segment: str, text: str) -> None:
    question = Question(SubjectId("customer", "c"), "analytics", (segment,), {"age": 30, "text": text})
    await engine.evaluator.evaluate(CALLER, question)
