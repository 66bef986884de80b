"""What the log adds to an evaluation under load: one engine in one process, with its writer, and with one
that keeps nothing and answers at once.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, cast

import uvloop

from bench.evaluation import ATTRIBUTES, CATALOG, RULES
from segserver.config import Config
from segserver.engine import Engine, build
from segserver.engine.corridor import Question
from segserver.engine.evaluate import Evaluator
from segserver.engine.profiles import Change
from segserver.model import Caller, SubjectId
from segserver.storage.writer import Receipt, Writer
from segserver.strategies.manager import load

CONCURRENT, EVALUATIONS_EACH, TURNS = 64, 100, 5
CALLER = Caller("bench", frozenset(), frozenset({"*"}))


class Nothing:
    """A writer that keeps nothing."""

    async def write(self, work: Any = None, entries: Any = ()) -> Receipt:
        return Receipt(None, ())


def evaluation_us(folder: Path) -> tuple[float, float]:
    """Processor time of an evaluation with the log and without, 64 at a time; the best of turns in one run.

    All threads count. The time that passes says little here: under load, evaluations wait to be answered and
    logged together.
    """
    catalog = folder / "catalog"
    catalog.mkdir()
    segments = "".join(f"  - {{id: bench/s{n}, rule: {rule!r}}}\n" for n, rule in enumerate(RULES))
    (catalog / "catalog.yaml").write_text(CATALOG + segments)
    config = Config(data_dir=folder / "data", catalog_dir=catalog, dev=True, listen="127.0.0.1:0")
    engine = build(config, installed=load(entry_points=[]))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_in_turns(engine))
    finally:
        engine.close()


async def _in_turns(engine: Engine) -> tuple[float, float]:
    subjects = [SubjectId("customer", str(number)) for number in range(CONCURRENT)]
    await engine.profiles.upsert(CALLER, [Change(subject, ATTRIBUTES) for subject in subjects])
    audited = engine.evaluator
    bare = Evaluator(audited._corridor, cast("Writer", Nothing()), engine.now_us, engine.counts)
    with_log, without = [], []
    for _ in range(TURNS):
        with_log.append(await _turn_us(audited, subjects))
        without.append(await _turn_us(bare, subjects))
    return min(with_log), min(without)


async def _turn_us(evaluator: Evaluator, subjects: list[SubjectId]) -> float:
    async def ask(subject: SubjectId) -> None:
        for _ in range(EVALUATIONS_EACH):
            await evaluator.evaluate(CALLER, Question(subject, "analytics"))

    begin = time.process_time()
    await asyncio.gather(*map(ask, subjects))
    return (time.process_time() - begin) / (len(subjects) * EVALUATIONS_EACH) * 1e6
