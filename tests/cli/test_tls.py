"""TLS on the command line, of a server and of those who ask it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from certificates import Authority
from click.testing import CliRunner

from segserver.cli import main

CATALOG = str(Path(__file__).resolve().parents[2] / "examples" / "catalog")
START_S = 120.0


@pytest.fixture
def authority():
    return Authority()


@pytest.fixture
def serving(tmp_path, authority):
    """The address of a server that asks its clients for certificates."""
    certificate, key = authority.server().write(tmp_path / "tls", "server")
    ready = tmp_path / "ready"
    command = [sys.executable, "-m", "segserver", "serve", "--dev", "--data-dir", str(tmp_path / "data")]
    command += ["--catalog", CATALOG, "--listen", "127.0.0.1:0", "--ready-file", str(ready)]
    command += ["--tls-cert", str(certificate), "--tls-key", str(key)]
    command += ["--tls-client-ca", str(authority.write(tmp_path / "tls"))]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603  # our own
    until = time.monotonic() + START_S
    while not ready.exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    yield ready.read_text()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_a_client_with_a_certificate_gets_in_and_others_do_not(serving, tmp_path, authority):
    certificate, key = authority.client().write(tmp_path / "tls", "client")
    trusting = ["--tls-ca", str(tmp_path / "tls" / "authority.pem")]
    coming = [*trusting, "--tls-cert", str(certificate), "--tls-key", str(key)]

    def run(*options):
        where = ["--address", serving, "--data-dir", str(tmp_path / "data"), "--timeout", "60"]
        return CliRunner().invoke(main, ["catalog", "versions", *where, *options])

    assert "startup" in run(*coming).stdout
    assert run("--timeout", "2").exit_code == 3
    assert run("--tls", "--timeout", "2").exit_code == 3
    assert run(*trusting, "--timeout", "2").exit_code == 3
    wrong = run(*trusting, "--tls-cert", str(certificate))
    assert wrong.exit_code == 1
    assert "go together" in wrong.stderr
