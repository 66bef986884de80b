"""A server under everything at once, for seconds; `make soak` does the same for minutes."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

soak = runpy.run_path(str(Path(__file__).resolve().parents[2] / "scripts" / "soak.py"))


async def test_a_loaded_server_does_not_grow(tmp_path, capsys):
    growth = await soak["run"](tmp_path, seconds=12, seed=20260704)
    said = capsys.readouterr().out
    assert growth <= soak["GROWTH_MB_MAX"], said
    assert int(said.split()[1]) > 200, "too few calls to say anything"
    for kind in ("evaluate", "write", "consent", "withdraw", "batch", "explain", "wrong"):
        assert f"{kind} 0" not in said


@pytest.mark.parametrize(("each_mb", "grows"), [(0.0, False), (0.1, False), (1.0, True)])
def test_a_leak_is_growth(each_mb, grows):
    samples = [100 + each_mb * number for number in range(60)]
    assert (soak["growth_mb"](samples) > soak["GROWTH_MB_MAX"]) is grows
