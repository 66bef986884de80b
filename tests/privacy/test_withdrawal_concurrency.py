"""A withdrawal that returned is seen by every evaluation that begins after it, in every process."""

from __future__ import annotations

import multiprocessing
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from segserver.model import Caller, Category, LegalBasis, Role
from segserver.privacy.gate import Gate
from segserver.privacy.keyring import create_file, load_file
from segserver.privacy.policy import Label, Policy, Purpose
from segserver.privacy.profiles import Profiles
from segserver.privacy.records import Record, RecordKind
from segserver.privacy.vault import Vault
from segserver.storage.sqlite import Database
from segserver.storage.subjects import Subjects

KEY = b"\x01" + b"k" * 32
ROUNDS = 40
POLICY = Policy(
    purposes={"marketing": Purpose("marketing", LegalBasis.CONSENT, frozenset({Category.DEMOGRAPHIC}))},
    labels={"income": Label(Category.DEMOGRAPHIC)},
)


def worker(path: Path, keyring_path: Path, withdrawn: Synchronized, stop: Event, found: Synchronized) -> None:
    """Evaluates without pause; counts answers that used a grant after its withdrawal had returned."""
    reader = Database(path).connect(read_only=True)
    profiles = Profiles(Vault(load_file(keyring_path)), Subjects())
    gate = Gate(POLICY)
    caller = Caller("crm", frozenset({Role.EVALUATOR}), frozenset({"*"}))
    while not stop.is_set():
        returned_before = withdrawn.value
        mask = gate.mask("marketing", profiles.require(reader, KEY).state, caller, 10**15)
        # An odd count is: withdrawn, and the next grant has not begun.
        if returned_before % 2 == 1 and withdrawn.value == returned_before and mask.visible:
            found[1] += 1
        found[0] += 1
    reader.close()


@pytest.mark.parametrize("workers", [2])
def test_no_worker_uses_a_grant_after_its_withdrawal_returned(
    tmp_path, database, keyring, profiles, ledger, workers
):
    context = multiprocessing.get_context("spawn")
    withdrawn, stop = context.Value("q", 0), context.Event()
    counts = [context.Array("q", 2) for _ in range(workers)]
    keyring_path = tmp_path / "keyring.json"
    create_file(keyring_path, keyring)
    connection = database.connect()
    profiles.merge(KEY, {"income": 7}, 1)(connection)
    processes = [
        context.Process(target=worker, args=(database.path, keyring_path, withdrawn, stop, count))
        for count in counts
    ]
    try:
        for process in processes:
            process.start()
        while not all(count[0] for count in counts):
            assert all(process.is_alive() for process in processes)
        for turn in range(ROUNDS):
            at_us = 10 + 2 * turn
            write(connection, ledger, RecordKind.GRANTED, at_us)
            write(connection, ledger, RecordKind.WITHDRAWN, at_us + 1)
            withdrawn.value += 1
            seen = [count[0] for count in counts]
            while any(count[0] < before + 2 for count, before in zip(counts, seen, strict=True)):
                assert all(process.is_alive() for process in processes)
            withdrawn.value += 1
    finally:
        stop.set()
        for process in processes:
            if process.pid is not None:
                process.join()
        connection.close()
    assert [count[1] for count in counts] == [0] * workers
    assert all(count[0] > 2 * ROUNDS for count in counts)


def write(connection, ledger, kind: RecordKind, at_us: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    ledger.record(KEY, Record(kind=kind, purpose="marketing", at_us=at_us, recorded_us=at_us), POLICY)(
        connection
    )
    connection.execute("COMMIT")
