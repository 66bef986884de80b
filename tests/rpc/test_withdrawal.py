"""Two server processes on one data directory: what one is told, the other knows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import write_catalog

from segserver.client import AsyncClient
from segserver.model import Outcome

CATALOG = """
purposes:
  marketing: {legal_basis: consent, categories: [demographic]}
attributes:
  income: {type: int, category: demographic}
segments:
  - {id: people/wealthy, rule: income > 1000}
"""
ROUNDS = 25
ASKING = 4
"""Questions that are on their way to each server at any moment."""


@contextlib.contextmanager
def server(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A server process of its own; :func:`address` tells when and where it serves."""
    command = [sys.executable, "-m", "segserver", "serve", "--dev", "--data-dir", str(folder / "data")]
    command += ["--catalog", str(folder / "catalog"), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.terminate()
            process.communicate()


def address(process: subprocess.Popen[str]) -> str:
    """The address of a server, once it serves."""
    for line in process.stderr:
        said = json.loads(line) if line.startswith("{") else {}
        if said.get("event") == "serving":
            return str(said["address"])
    raise AssertionError("the server did not start")


@pytest.fixture
def addresses(tmp_path):
    write_catalog(tmp_path / "catalog", {"catalog.yaml": CATALOG})
    with server(tmp_path) as first:
        serving = address(first)  # it made the keys and the caller
        with server(tmp_path) as second:
            yield serving, address(second)


class Ledger:
    """What this process knows for certain: how often a withdrawal returned, and whether a grant has begun."""

    def __init__(self) -> None:
        self.turn = 0
        self.is_withdrawn = False
        self.answers = 0
        self.members = 0
        self.wrong: list[int] = []


async def ask(client: AsyncClient, ledger: Ledger, stop: asyncio.Event) -> None:
    """Asks without pause. An answer is wrong when it uses a grant though its question began after the
    withdrawal had returned, and no other grant had begun when it came.
    """
    while not stop.is_set():
        began_withdrawn, turn = ledger.is_withdrawn, ledger.turn
        (result,) = (await client.evaluate("jo", "marketing")).results
        ledger.answers += 1
        ledger.members += result.outcome is Outcome.MEMBER
        still_withdrawn = began_withdrawn and (ledger.is_withdrawn, ledger.turn) == (True, turn)
        if still_withdrawn and result.outcome is not Outcome.WITHHELD:
            ledger.wrong.append(turn)


async def test_no_server_uses_a_grant_after_another_confirmed_its_withdrawal(tmp_path, addresses):
    key = (tmp_path / "data" / "dev.key").read_text()
    clients = [AsyncClient(address, api_key=key) for address in addresses]
    ledger, stop = Ledger(), asyncio.Event()
    await clients[0].upsert_profile("jo", {"income": 5_000})
    asking = [asyncio.create_task(ask(client, ledger, stop)) for client in clients for _ in range(ASKING)]
    try:
        for turn in range(ROUNDS):
            teller = clients[turn % 2]
            ledger.turn, ledger.is_withdrawn = turn, False
            await teller.record_consent("jo", "marketing")
            await answered(ledger, 2 * len(asking))
            await teller.withdraw_consent("jo", "marketing")
            ledger.is_withdrawn = True
            await answered(ledger, 2 * len(asking))
    finally:
        stop.set()
        await asyncio.gather(*asking)
        for client in clients:
            await client.close()
    assert ledger.wrong == []
    assert ledger.members > ROUNDS
    assert ledger.answers > 4 * ROUNDS * len(asking)


async def answered(ledger: Ledger, count: int) -> None:
    """Returns when so many more answers have come."""
    until = ledger.answers + count
    while ledger.answers < until:
        await asyncio.sleep(0)
