"""Real customers, imported by the command line, asked for by the client, counted from the raw file."""

from __future__ import annotations

import datetime as dt
import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import counts_customer_personality
import pytest
from click.testing import CliRunner

from segserver.cli import main
from segserver.client import Client
from segserver.model import Outcome

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "customer_personality"
DAY = dt.date(2017, 7, 1)
NOON = dt.datetime(2017, 7, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def address(tmp_path):
    """A server of its own process, with the example's catalog."""
    command = [sys.executable, "-m", "segserver", "serve", "--dev", "--data-dir", str(tmp_path / "data")]
    command += ["--catalog", str(EXAMPLE / "catalog"), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603
    with process:
        said = next((line for line in process.stderr if '"serving"' in line), None)
        assert said is not None, "the server ended at its start"
        yield json.loads(said)["address"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_the_sizes_of_segments_are_those_of_the_file(shared_data, address, tmp_path):
    file = shared_data / "customer_personality.tsv"
    mapping = EXAMPLE / "mapping.yaml"
    options = ["--address", address, "--data-dir", str(tmp_path / "data"), "--json"]
    runner = CliRunner()
    for _ in range(2):
        arguments = ["profile", "import", str(file), "--mapping", str(mapping), *options]
        report = json.loads(runner.invoke(main, arguments).stdout)
        assert (report["rows"], report["written"]) == (2_240, 2_237)
        assert [row["line"] for row in report["rejected"]] == [194, 241, 341]

    ids = [line.split("\t")[0] for line in file.read_text(encoding="utf-8").splitlines()[1:]]
    key = (tmp_path / "data" / "dev.key").read_text().strip()
    sizes: Counter[str] = Counter()
    with Client(address, api_key=key) as client:
        for start in range(0, len(ids), 1_000):
            for answer in client.evaluate_batch(ids[start : start + 1_000], "analytics", at=NOON):
                if not isinstance(answer, Exception):
                    sizes.update(answer.members)
        served = {segment.id for segment in client.segments("analytics")}
        one = client.evaluate(ids[0], "analytics", at=NOON)
    expected = {
        segment: size
        for segment, size in counts_customer_personality.sizes(shared_data, DAY).items()
        if segment in served and size
    }
    assert len(expected) > 10
    assert {segment: sizes[segment] for segment in expected} == expected
    assert {result.outcome for result in one.results} <= {Outcome.MEMBER, Outcome.NOT_MEMBER, Outcome.UNKNOWN}
