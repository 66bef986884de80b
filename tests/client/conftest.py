"""A scripted server for each test that asks for one."""

from __future__ import annotations

import pytest
from scripted import ScriptedServer


@pytest.fixture
def server():
    scripted = ScriptedServer()
    yield scripted
    scripted.stop()
