"""A server as it is run, with a plugin that looks for its secrets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from plugin_folders import distribution, with_code
from processes import Process, process

from segserver.cli import main

CATALOG = """
purposes: {analytics: {legal_basis: legitimate_interest, categories: [behavioral]}}
strategies: {peeker: {}}
include: ["peeker/*"]
segments: []
"""
PEEK = """
if text == "example": return "yes"
paths = {"environ": f"/proc/{os.getppid()}/environ", "memory": f"/proc/{os.getppid()}/mem"}
with open(paths.get(text, text), "rb") as file:
    return "yes" if file.read(1) else "no"
"""
SECRET = "a-secret-in-the-environment"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    monkeypatch.setenv("SEGSERVER_TEST_SECRET", SECRET)
    distribution(tmp_path / "plugins", "peeker", with_code("peeker", PEEK))
    with process(tmp_path, CATALOG, config=f'plugins_dir = "{tmp_path}/plugins"\n') as started:
        yield started


def test_its_secrets_are_out_of_reach(server):
    with server.client() as client:
        (peeker,) = [one for one in client.strategies() if one.name == "peeker"]
        assert peeker.process_state == "running"
        if "landlock" not in peeker.process_walls:
            pytest.skip("this kernel has no landlock")
        open_to_all = ("example", sys.executable)
        hidden = ("environ", "memory", "/etc/passwd", *(str(path) for path in server.data.iterdir()))
        for text in (*open_to_all, *hidden):
            (result,) = client.evaluate("c", "analytics", attributes={"text": text}).results
            expected = ("MEMBER", "") if text in open_to_all else ("UNKNOWN", "STRATEGY_FAILED")
            assert (result.outcome.name, result.reason) == expected, text
    place = ["--address", server.address, "--data-dir", str(server.data)]
    listed = CliRunner().invoke(main, ["strategies", "list", *place], env={"COLUMNS": "200"}).output
    assert f"used, isolated, {len(hidden)} failures" in listed
    shown = CliRunner().invoke(main, ["strategies", "show", "peeker", *place]).output
    assert "its plugin host process is running, behind landlock" in " ".join(shown.split())
    assert SECRET not in listed + shown + server.log_file.read_text()


def test_no_key_is_in_its_environment_or_arguments(server):
    assert server.address
    proc = Path(f"/proc/{server.process.pid}")
    seen = (proc / "environ").read_bytes() + (proc / "cmdline").read_bytes()
    assert SECRET.encode() in seen, "the test reads what it means to"
    keyring = json.loads((server.data / "keyring.json").read_text())
    texts = [text for text in _texts(keyring) if len(text) >= 16] + [(server.data / "dev.key").read_text()]
    assert len(texts) >= 3
    assert not [text for text in texts if text.encode() in seen]


def _texts(value: object) -> list[str]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [text for one in inner for text in _texts(one)]
    return [value] if isinstance(value, str) else []
