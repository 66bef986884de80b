"""Several workers on one port, as people run them: one store, one log, one catalog, one answer."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from processes import one_of_each, process, until

from segserver.audit.entry import Kind, decode
from segserver.audit.note import NoteKey
from segserver.audit.verify import verify
from segserver.cli._workers import reserve
from segserver.client import Document
from segserver.errors import SegserverError, Unavailable
from segserver.model import Outcome
from segserver.storage import log
from segserver.storage.sqlite import Database

CATALOG = """
purposes:
  analytics: {legal_basis: legitimate_interest, categories: [demographic]}
  marketing: {legal_basis: consent, categories: [demographic]}
attributes:
  age: {type: int, category: demographic}
segments:
  - {id: people/adults, rule: age >= 18}
"""
OBSERVED = '[observe]\nmetrics_listen = "127.0.0.1:0"\nlog_calls = true'
OLDER = CATALOG.replace("18", "21")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with process(tmp_path_factory.mktemp("workers"), CATALOG, "--workers", "2", config=OBSERVED) as server:
        yield server


@pytest.fixture(scope="module")
def each(server):
    with one_of_each(server, 2) as clients:
        yield clients


def outcome(client, subject, purpose):
    (result,) = client.evaluate(subject, purpose).results
    return result.outcome


def test_a_withdrawal_holds_at_once_in_the_other_worker(each):
    one, other = each[1], each[2]
    one.upsert_profile("alice", {"age": 44})
    for _ in range(10):
        one.record_consent("alice", "marketing", granted=True, notice_version="1", method="form")
        assert outcome(other, "alice", "marketing") is Outcome.MEMBER
        other.withdraw_consent("alice", "marketing")
        assert outcome(one, "alice", "marketing") is Outcome.WITHHELD


def test_a_catalog_reaches_the_other_worker(each):
    one, other = each[1], each[2]
    one.upsert_profile("bob", {"age": 20})
    assert outcome(other, "bob", "analytics") is Outcome.MEMBER
    version = one.publish_catalog([Document("catalog.yaml", OLDER)])
    until(lambda: other.evaluate("bob", "analytics").catalog_digest == version.digest)
    assert outcome(other, "bob", "analytics") is Outcome.NOT_MEMBER
    workers = until(
        lambda: (w := one.status()) and all(x.catalog_version == version.version for x in w) and w
    )
    assert {worker.catalog_digest for worker in workers} == {version.digest}


def test_one_log_holds_what_both_answered(server, each):
    def ask(number):
        return each[1 + number % 2].evaluate(f"s{number}", "analytics").evaluation_id

    with ThreadPoolExecutor(8) as pool:
        answered = set(pool.map(ask, range(400)))
    assert len(answered) == 400
    assert answered <= logged(server, each[1].audit_checkpoint().key)


def test_the_numbers_of_all_workers_are_at_one_place(server, each):
    each[1].evaluate("alice", "analytics")
    each[2].evaluate("alice", "analytics")
    port = server.lines("metrics")[0]["port"]

    def shown():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
            text = reply.read().decode()
        calls = 'segserver_calls_total{method="SegmentationService/EvaluateSegments",status="OK",worker="%s"}'
        return text if calls % 1 in text and calls % 2 in text else ""

    text = until(shown)
    for worker in (1, 2):
        assert f'segserver_memory_bytes{{worker="{worker}"}}' in text
    assert "segserver_workers_ready 2.0" in text
    line = until(lambda: [x for x in server.lines("call") if x["method"].endswith("/EvaluateSegments")])[0]
    assert {"request_id", "caller", "method", "status", "duration_ms", "worker"} <= line.keys()
    assert "alice" not in server.log_file.read_text()


def test_a_worker_that_dies_is_started_again_and_a_stop_loses_no_accepted_call(tmp_path):
    with process(tmp_path, CATALOG, "--workers", "2") as server:
        with one_of_each(server, 2) as each:
            key = each[1].audit_checkpoint().key
            reload(server, each[1])
            version = each[1].publish_catalog([Document("catalog.yaml", OLDER)])
            first = next(worker for worker in each[1].status() if worker.worker == 1)
            os.kill(first.pid, signal.SIGKILL)
            again = until(
                lambda: [
                    w for w in each[2].status() if w.worker == 1 and w.pid != first.pid and w.restarts == 1
                ]
            )
            assert again[0].catalog_version == version.version == 3, "the folder was not published again"
        assert server.lines("worker ended")[0]["code"] == -signal.SIGKILL
        answered = []

        def ask(number):
            with server.client(retries=0) as client, suppress(SegserverError):
                while True:
                    answered.append(client.evaluate(f"s{number}", "analytics").evaluation_id)

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask, number) for number in range(4)]
            until(lambda: len(answered) > 100)
            assert server.stop() == 0
            for each in asking:
                each.result()
    assert server.lines("stopping")[-1].get("worker") in (1, 2)
    assert set(answered) == logged(server, key), "a call was accepted and not answered, or lost"


def reload(server, client):
    """SIGHUP reads the folder again; a bad one leaves what serves."""
    file = server.folder / "catalog" / "catalog.yaml"
    file.write_text(CATALOG.replace("18", "30"))
    server.tell(signal.SIGHUP)
    until(lambda: [worker.catalog_version for worker in client.status()] == [2, 2])
    file.write_text(CATALOG[:-20])
    server.tell(signal.SIGHUP)
    until(lambda: len(server.lines("catalog refused")) == 2)
    troubled = until(lambda: (w := client.status()) and all(x.troubles for x in w) and w)
    assert [(w.catalog_version, w.troubles[0].component) for w in troubled] == [(2, "catalog")] * 2


def logged(server, key):
    """The evaluations in the log, once it has verified."""
    connection = Database(server.data / "segserver.db").connect(read_only=True)
    try:
        size = verify(connection, [NoteKey.parse(key)]).size
        entries = [decode(row[2]) for rows in log.scan(connection, 0, size) for row in rows]
    finally:
        connection.close()
    return {entry.request_id for entry in entries if entry.kind is Kind.EVALUATION}


def test_what_keeps_the_first_worker_from_starting_ends_the_command(tmp_path):
    with process(tmp_path, "purposes: [", "--workers", "2") as server:
        assert server.process.wait(60) == 1
        assert server.log_file.read_text().count("error: the catalog has 1 problem") == 1


def test_a_port_that_another_server_shares_is_in_use():
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(Unavailable, match="the port is in use"):
            reserve(f"127.0.0.1:{other.getsockname()[1]}")


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:0", "localhost:0"])
def test_workers_share_the_port_that_is_kept_for_them(listen):
    kept, address = reserve(listen)
    host, _, port = address.rpartition(":")
    with kept, socket.socket(kept.family) as worker:
        assert host == listen.removesuffix(":0")
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        worker.bind((kept.getsockname()[0], int(port)))
        worker.listen()
        with socket.create_connection((host.strip("[]"), int(port)), timeout=5):
            worker.accept()[0].close()
