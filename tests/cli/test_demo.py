"""``segserver demo``: the whole product, as a stranger starts it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys

import pytest

from segserver.cli._population import population

DECLARED = {"birth_date": "timestamp", "interests": "list(string)", "country": "string"}


def command(data_dir, *options):
    start = [sys.executable, "-m", "segserver", "demo", "--data-dir", str(data_dir), "--customers", "20"]
    return [*start, *options]


def demo(data_dir, *options):
    return subprocess.run(command(data_dir, *options), capture_output=True, text=True, timeout=120)  # noqa: S603


def test_once_prints_answers_and_ends(tmp_path):
    done = demo(tmp_path, "--once", "--port", "0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "20 made-up customers" in done.stdout
    assert "demo-0001" in done.stdout
    for word in (
        "granted",
        "CONSENT_REFUSED",
        "CONSENT_EXPIRED",
        "OBJECTED",
        "CHILD",
        "CONSENT_WITHDRAWN",
        "CONSENT_MISSING",
        "unknown",
    ):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines()[1:])) <= 80


def test_the_answers_as_json(tmp_path):
    done = demo(tmp_path, "--once", "--port", "0", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["customers"] == 20
    outcomes = {
        result["outcome"]
        for evaluation in found["purposes"]["marketing"].values()
        for result in evaluation["results"]
    }
    assert outcomes == {"MEMBER", "NOT_MEMBER", "UNKNOWN", "WITHHELD"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_serves_on_until_it_is_interrupted(tmp_path, number):
    process = subprocess.Popen(  # noqa: S603
        command(tmp_path, "--port", "0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        line = next(line for line in process.stdout if line.startswith("Serving on"))
        host, _, port = line.split()[2].rpartition(":")
        socket.create_connection((host, int(port)), timeout=5).close()
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "stopping\n")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)


def test_a_port_in_use_is_said_clearly(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = demo(tmp_path, "--port", port)
    assert done.returncode == 3
    assert (
        done.stderr
        == f"error: port {port} is in use; end what listens there, or choose another with --port\n"
    )


def test_a_server_that_does_not_start_says_why(tmp_path):
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "broken.yaml").write_text("segments: [")
    options = ("--port", "0", "--catalog", str(tmp_path / "catalog"))
    done = demo(tmp_path, *options)
    assert done.returncode == 3
    assert "broken.yaml:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_seed_makes_the_same_customers_and_another_one_others():
    first, again, other = (list(population(50, seed, DECLARED)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_customers_have_declared_attributes_only_and_not_all_of_them():
    counts = [len(change.attributes) for change in population(200, 1, DECLARED)]
    assert min(counts) < 2
    assert max(counts) == 3
    assert all(set(change.attributes) <= set(DECLARED) for change in population(200, 1, DECLARED))
