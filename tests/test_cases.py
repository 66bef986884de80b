"""Many paths, one truth: each case of ``cases/*.yaml`` runs in process, over gRPC for one and in a batch, and
as a table.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import yaml
from servers import NOON, Clock, open_engine, running

from segserver.engine.compare import members
from segserver.engine.corridor import Question
from segserver.engine.profiles import Change
from segserver.model import Caller, Outcome, Role, SubjectId

FILES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
CALLER = Caller("dev", frozenset(Role), frozenset({"*"}))


def cases():
    for path in FILES:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for case in document["cases"]:
            yield pytest.param(document["catalog"], case, id=f"{path.stem}: {case['name']}")


def attributes_of(case):
    def value(raw):
        return (
            tuple(raw)
            if isinstance(raw, list)
            else raw.replace(tzinfo=dt.UTC)
            if isinstance(raw, dt.datetime)
            else raw
        )

    return {name: value(raw) for name, raw in case["attributes"].items()}


def time_of(case):
    return case["at"].replace(tzinfo=dt.UTC) if "at" in case else NOON


def told(result):
    """A result in the form of a case's expectation: ``WITHHELD age income``, ``UNKNOWN ERROR``,
    ``MEMBER``.
    """
    names = [
        *result.missing,
        *(item[0] if isinstance(item, tuple) else item.attribute for item in result.withheld),
    ]
    return " ".join([result.outcome.name, *sorted(names), *([result.reason] if result.reason else [])])


@pytest.mark.parametrize(("catalog", "case"), list(cases()))
async def test_one_truth(catalog, case, tmp_path):
    clock = Clock(time_of(case))
    engine = open_engine(tmp_path, {"catalog.yaml": catalog}, clock=clock)
    subject, attributes = SubjectId("customer", "somebody"), attributes_of(case)
    async with running(engine, clock) as server:
        client = server.client()
        brought = await engine.evaluator.evaluate(
            CALLER, Question(subject, case["purpose"], attributes=attributes)
        )
        if attributes:
            await engine.profiles.upsert(CALLER, [Change(subject, attributes)])
        stored = await engine.evaluator.evaluate(CALLER, Question(subject, case["purpose"]))
        over_grpc = await client.evaluate("somebody", case["purpose"])
        (batched,) = await client.evaluate_batch(["somebody"], case["purpose"])
        explained = [
            (await client.explain("somebody", segment, case["purpose"])).result for segment in case["expect"]
        ]
        table = (
            members(engine.catalogs.serving, CALLER, case["purpose"], opened(engine), clock(), None)
            if attributes
            else None
        )
    for path, results in {
        "brought": brought.results,
        "stored": stored.results,
        "gRPC": over_grpc.results,
        "batch": batched.results,
        "explained": explained,
    }.items():
        assert {result.segment: told(result) for result in results} == case["expect"], path
    if table is not None:
        certain = {segment for segment, text in case["expect"].items() if text == Outcome.MEMBER.name}
        assert {segment for segment, column in table.items() if column.to_list() == [True]} == certain


def opened(engine):
    from segserver.privacy.keyring import load_file
    from segserver.privacy.vault import Vault
    from segserver.storage.subjects import Subjects

    vault = Vault(load_file(engine.config.keyring_path))
    return [vault.open(row) for page in Subjects().pages(engine.store.reader) for row in page]
