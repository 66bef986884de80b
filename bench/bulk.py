"""Everybody who is stored, evaluated in process with answers, evidence and entries, beside only opening the
same profiles.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from segserver.config import Config
from segserver.engine import Engine, build
from segserver.model import Caller, Role, SubjectId
from segserver.privacy.keys import file_provider
from segserver.privacy.pseudonyms import Pseudonyms
from segserver.privacy.subject import Decision, Profile, RuleValue, Status, SubjectState
from segserver.privacy.vault import Vault
from segserver.storage.contract import Connection
from segserver.storage.subjects import Subjects
from segserver.strategies.manager import load

SUBJECTS = 20_000
ATTRIBUTES = 25
SEGMENTS = 50
KNOWN, CONSENTING = 0.8, 0.7
"""The share of attributes that are known of a subject, and of subjects that consented."""
REPEAT = 3
CALLER = Caller("crm", frozenset({Role.EVALUATOR}), frozenset({"*"}))
TYPES = ("int", "double", "string")


def rows() -> list[dict[str, Any]]:
    """The rows of the benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        engine = _engine(Path(folder))
        vault = Vault(file_provider(engine.config.keyring_path).load())
        try:
            _store(engine, vault)
            _evaluate(engine)
            opened = _processor_us(lambda: _open(engine, vault))
            evaluated = _processor_us(lambda: _evaluate(engine))
        finally:
            engine.close()
    return [
        {
            "name": f"everybody, {SEGMENTS} segments, answers and evidence, processor time for a subject",
            "value": evaluated,
            "unit": "µs",
            "yardstick": f"reading and opening the profiles ({ATTRIBUTES} attributes)",
            "yardstick_value": opened,
            "ratio": evaluated / opened,
        }
    ]


def _processor_us(function: Callable[[], object]) -> float:
    """Processor time for a subject, of all threads: the best of a few runs."""
    best = float("inf")
    for _ in range(REPEAT):
        begin = time.process_time()
        function()
        best = min(best, time.process_time() - begin)
    return best / SUBJECTS * 1e6


def _engine(folder: Path) -> Engine:
    attributes = "".join(
        f"  a{n}: {{type: {TYPES[n % 3]}, category: behavioral}}\n" for n in range(ATTRIBUTES)
    )
    segments = "".join(
        f"  - {{id: s/n{n}, rule: '{_condition(n, n)} {('&&', '||')[n % 2]} {_condition(n * 7 + 1, n)}'}}\n"
        for n in range(SEGMENTS)
    )
    catalog = folder / "catalog"
    catalog.mkdir()
    (catalog / "catalog.yaml").write_text(
        "purposes:\n  marketing: {legal_basis: consent, categories: [behavioral]}\n"
        f"attributes:\n  birth_date: {{type: timestamp, category: demographic}}\n{attributes}"
        f"segments:\n{segments}",
        encoding="utf-8",
    )
    return build(
        Config(data_dir=folder / "data", catalog_dir=catalog, dev=True), installed=load(entry_points=[])
    )


def _condition(attribute: int, n: int) -> str:
    number = attribute % ATTRIBUTES
    return (f"a{number} > {2 * n}", f"a{number} > {2 * n}.5", f'a{number} == "v{n % 10}"')[number % 3]


def _store(engine: Engine, vault: Vault) -> None:
    chance = random.Random(1)
    pseudonyms = Pseudonyms(file_provider(engine.config.keyring_path).load())

    def values() -> Mapping[str, RuleValue]:
        drawn: dict[str, RuleValue] = {"birth_date": chance.randrange(10**15)}
        for n in range(ATTRIBUTES):
            if chance.random() < KNOWN:
                drawn[f"a{n}"] = (chance.randrange(100), chance.random() * 100, f"v{chance.randrange(10)}")[
                    n % 3
                ]
        return drawn

    def work(connection: Connection) -> None:
        for number in range(SUBJECTS):
            key = pseudonyms.subject_key(SubjectId("customer", f"C-{number}"))
            consents = {"marketing": Decision(Status.GRANTED, 1, 5)} if chance.random() < CONSENTING else {}
            _, row = vault.seal(
                vault.create(key),
                5,
                profile=Profile(values=dict(values()), recorded_us=5),
                state=SubjectState(consents=consents, jurisdiction="DE", records=1),
            )
            Subjects().put(connection, row)

    engine.store.writer.write_blocking(work)


def _open(engine: Engine, vault: Vault) -> None:
    for page in Subjects().pages(engine.store.reader):
        for row in page:
            vault.open(row)


def _evaluate(engine: Engine) -> None:
    async def run() -> None:
        async for _ in engine.bulk.evaluate_all(CALLER, "marketing"):
            pass

    asyncio.run(run())
