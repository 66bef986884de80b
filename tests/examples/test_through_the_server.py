"""The real customers go in by the import command and come out as evaluations, in the sizes of the raw
files.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections import Counter
from pathlib import Path

import counts_customer_personality
import counts_sapa
import pytest
from click.testing import CliRunner
from servers import Clock, open_engine, running

from segserver.catalog import read_directory
from segserver.cli import main
from segserver.model import Caller, Outcome, Role, SubjectId
from segserver.privacy.records import Record, RecordKind
from segserver.strategies.manager import load

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
DAY = dt.date(2017, 7, 1)
NOON = dt.datetime(2017, 7, 1, 12, tzinfo=dt.UTC)
DEV = Caller("dev", frozenset(Role), frozenset({"*"}))
BATCH = 1_000
CHILD_BELOW_YEARS = 16


async def sizes_through_the_server(example, file, ids, purpose, folder):
    """Imports a file, has everybody consent where the purpose asks for it, and counts members by evaluating
    everybody.
    """
    clock = Clock(NOON)
    documents = read_directory(EXAMPLES / example / "catalog")
    async with running(open_engine(folder, documents, load(), clock), clock) as server:
        report = await asyncio.to_thread(imported, server, file, EXAMPLES / example / "mapping.yaml")
        if server.engine.catalogs.serving.catalog.purpose(purpose).legal_basis == "consent":
            await everybody_consents(server, ids, purpose)
        client = server.client(timeout_s=60.0)
        members, results = Counter(), Counter()
        for start in range(0, len(ids), BATCH):
            for answer in await client.evaluate_batch(ids[start : start + BATCH], purpose):
                results.update(result.outcome for result in answer.results)
                members.update(answer.members)
        entries = sum(entry.kind == "evaluation" for entry in server.entries())
        segments = set(server.engine.catalogs.serving.catalog.program(purpose).segments)
    assert entries == len(ids)
    return report, members, results, segments


def imported(server, file, mapping):
    command = [
        "profile",
        "import",
        str(file),
        "--mapping",
        str(mapping),
        "--json",
        "--address",
        server.address,
    ]
    ran = CliRunner().invoke(main, [*command, "--data-dir", str(server.engine.config.data_dir)])
    return json.loads(ran.stdout)


async def everybody_consents(server, ids, purpose):
    def granted(now_us):
        return Record(
            kind=RecordKind.GRANTED,
            purpose=purpose,
            at_us=now_us,
            recorded_us=now_us,
            notice_version="1",
            method="web-form",
            actor="test",
        )

    await asyncio.gather(
        *(server.engine.consents.record(DEV, SubjectId("customer", subject), granted) for subject in ids)
    )


@pytest.mark.parametrize("purpose", ["analytics", "marketing"])
async def test_customer_personality(shared_data, tmp_path, purpose):
    file = shared_data / counts_customer_personality.FILE
    ids = [row["ID"] for row in counts_customer_personality.accepted(shared_data)]
    report, members, _, segments = await sizes_through_the_server(
        "customer_personality", file, ids, purpose, tmp_path
    )
    assert report["rows"] == 2240
    assert {row["reason"] for row in report["rejected"]} == {"the year of birth is implausible"}
    assert len(report["rejected"]) == 3
    expected = counts_customer_personality.sizes(shared_data, DAY)
    assert members == Counter({name: size for name, size in expected.items() if name in segments and size})
    assert len(segments) > 50


async def test_sapa_where_children_are_not_evaluated(shared_data, tmp_path):
    inventory = counts_sapa.Inventory(shared_data)
    ids = [f"sapa-{number}" for number in range(1, 4001)]
    report, members, results, segments = await sizes_through_the_server(
        "sapa_spi", shared_data / counts_sapa.FILE, ids, "research", tmp_path
    )
    assert (report["rows"], report["rejected"]) == (4000, [])
    everybody = inventory.rows
    inventory.rows = [row for row in everybody if counts_sapa.age(row, DAY) >= CHILD_BELOW_YEARS]
    expected = inventory.sizes(DAY)
    assert members == Counter({name: size for name, size in expected.items() if name in segments})
    assert results[Outcome.WITHHELD] == (len(everybody) - len(inventory.rows)) * len(segments)
