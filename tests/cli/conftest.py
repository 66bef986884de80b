"""A scripted server for each test that asks for one."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from scripted import ScriptedServer

from segserver.cli import main


@pytest.fixture
def server():
    scripted = ScriptedServer()
    yield scripted
    scripted.stop()


@pytest.fixture
def run(server, tmp_path):
    def invoke(*arguments, env=None):
        runner = CliRunner(
            env={"SEGSERVER_ADDRESS": server.address, "SEGSERVER_DATA_DIR": str(tmp_path), **(env or {})}
        )
        return runner.invoke(main, [str(argument) for argument in arguments])

    return invoke
