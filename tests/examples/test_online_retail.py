"""A year of a web shop goes in by the import command, and stages, RFM cells and money come out as they are
counted from the raw file, at any date.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections import Counter
from pathlib import Path

import counts_online_retail as counts
import polars as pl
import pytest
import yaml
from click.testing import CliRunner
from servers import Clock, open_engine, running

from segserver.catalog import read_directory
from segserver.cli import main
from segserver.strategies.manager import load

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "online_retail"
LATER = dt.datetime(2012, 1, 1, tzinfo=dt.UTC)
FITTED = dt.datetime(2011, 12, 10, tzinfo=dt.UTC)
DATES = [dt.datetime(2011, month, day, 12) for month, day in ((5, 1), (9, 15), (12, 10))]
BATCH = 1_000


@pytest.fixture(scope="module")
def bills(shared_data):
    return counts.invoices(shared_data)


def test_the_raw_file_has_what_the_mapping_says_about_it(shared_data, bills):
    lines = pl.read_parquet(shared_data / counts.FILE)
    known = lines.filter(pl.col("CustomerID").is_not_null())
    cancelled = known["InvoiceNo"].str.starts_with("C")
    assert (lines.height, lines.height - known.height, cancelled.sum()) == (541_909, 135_080, 8_905)
    assert Counter(bills["returned"]) == {False: 18_536, True: 3_654}
    assert bills["subject"].n_unique() == 4_372
    assert known.filter(cancelled != (pl.col("Quantity") < 0)).is_empty()
    assert ((known["UnitPrice"] == 0).sum(), (known["UnitPrice"] < 0).sum()) == (40, 0)
    assert ((bills["amount"] == 0) & ~bills["returned"]).sum() == 4
    nobody = lines.filter(pl.col("CustomerID").is_null())
    assert (nobody["UnitPrice"] < 0).sum() == 2
    assert ((nobody["Quantity"] < 0) & ~nobody["InvoiceNo"].str.starts_with("C")).sum() == 1_336


async def test_every_line_is_accounted_for_and_the_customers_are_those_of_the_raw_file(
    shared_data, tmp_path, bills
):
    clock = Clock(LATER)
    documents = read_directory(EXAMPLE / "catalog")
    quiet = {"refresh_interval_s": 3_600}  # what it says would be in the midst of what the command prints
    engine = open_engine(tmp_path, documents, load(), clock, memberships=quiet)
    async with running(engine, clock) as server:
        report = await asyncio.to_thread(imported, server, shared_data / counts.FILE)
        client = server.client(timeout_s=120.0)
        fit = (await client.fit_strategy("value", "analytics", FITTED)).document.text
        ids = sorted(set(bills["subject"]))
        segments = [segment.id async for segment in client.segments("analytics")]
        wanted = [name for name in segments if name.startswith(("journey/", "value/"))]
        first, *later = DATES
        members = [await sizes(client, ids, wanted, first)]
        members += [await sizes_of_everybody(client, wanted, date) for date in later]
    assert (report["rows"], report["written"], report["rejected_count"]) == (541_909, 406_829, 0)
    assert report["skipped"] == {"the line names no customer": 135_080}
    assert report["events"] == {
        "order": {"events": 18_536, "rows": 397_924},
        "order_returned": {"events": 3_654, "rows": 8_905},
    }
    assert report["repeated"] == 0

    assert fit == documents["fit-value.yaml"]
    learned = yaml.safe_load(fit)["fits"]["value"]
    limits = counts.quantiles(counts.customers(bills, FITTED.replace(tzinfo=None)))
    assert learned["recency_days"] == pytest.approx(limits["days"], abs=1e-9)
    assert (learned["frequency"], learned["monetary"]) == (limits["orders"], limits["net"])

    for date, found in zip(DATES, members, strict=True):
        expected = counts.customers(bills, date)
        stages, cells = counts.stages(expected), counts.cells(expected, limits)
        tiers = Counter(tier(net, learned["tiers"]) for net in expected["net"])
        tiers["bronze"] += len(ids) - expected.height  # who did nothing yet spent nothing
        assert of(found, "journey/") == stages, date
        assert of(found, "value/rfm-") == cells, date
        assert of(found, "value/tier-") == tiers, date


def tier(net, limits):
    return ("bronze", "silver", "gold", "platinum")[sum(net > limit for limit in limits)]


def imported(server, file):
    command = ["events", "import", str(file), "--mapping", str(EXAMPLE / "mapping.yaml"), "--json"]
    folder = str(server.engine.config.data_dir)
    ran = CliRunner().invoke(main, [*command, "--address", server.address, "--data-dir", folder])
    return json.loads(ran.stdout)


async def sizes(client, ids, segments, date):
    """Segment id → how many members as of a date."""
    members: Counter[str] = Counter()
    for start in range(0, len(ids), BATCH):
        at = date.replace(tzinfo=dt.UTC)
        for answer in await client.evaluate_batch(ids[start : start + BATCH], "analytics", segments, at=at):
            members.update(answer.members)
    return members


async def sizes_of_everybody(client, segments, date):
    """The same of all who are stored, in bulk."""
    members: Counter[str] = Counter()
    async for part in client.evaluate_all("analytics", segments, date.replace(tzinfo=dt.UTC)):
        for evaluation in part.evaluations:
            members.update(evaluation.members)
    return members


def of(members, prefix):
    return Counter(
        {name.removeprefix(prefix): size for name, size in members.items() if name.startswith(prefix)}
    )
