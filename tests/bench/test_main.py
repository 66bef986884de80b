"""``python -m bench``: finds its modules, and says when a budget is not kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

MODULE = """
def rows():
    if FAILS:
        raise ValueError("broken")
    return [{"name": "speed", "value": 2.0, "unit": "µs", "yardstick": "other", "yardstick_value": 1_000.0,
             "ratio": 500.0, "budget": "≤ 3 µs", "ok": KEPT}]
"""


@pytest.fixture
def bench(tmp_path):
    """Runs the real main with made-up modules beside it."""
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "__main__.py").write_text((ROOT / "bench" / "__main__.py").read_text(encoding="utf-8"))
    (folder / "_helper.py").write_text("x = 1\n")

    def run(*arguments, ok=True, broken=False):
        text = MODULE.replace("KEPT", str(ok)).replace("FAILS", str(broken))
        (folder / "made_up.py").write_text(text, encoding="utf-8")
        return subprocess.run(  # noqa: S603
            [sys.executable, "-m", "bench", *arguments], cwd=tmp_path, capture_output=True, text=True
        )

    return run


def test_the_table_and_the_json_have_every_row(bench, tmp_path):
    done = bench("--json", str(tmp_path / "out.json"))
    assert done.returncode == 0
    assert "made_up: speed" in done.stdout
    assert "1,000 µs" in done.stdout
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [(row["module"], row["ratio"]) for row in found["rows"]] == [("made_up", 500.0)]
    assert found["machine"]["processors"] >= 1


def test_a_budget_that_is_not_kept_is_in_the_table(bench):
    done = bench(ok=False)
    assert done.returncode == 0
    assert "NO" in done.stdout


def test_a_benchmark_that_fails_makes_the_exit_code_one(bench):
    done = bench(broken=True)
    assert done.returncode == 1
    assert "failed" in done.stdout


def test_the_table_goes_into_its_place_in_a_page(bench, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n", encoding="utf-8")
    assert bench("--page", str(page)).returncode == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- bench -->\n| what |")
    assert text.endswith("<!-- /bench -->\nafter\n")
    assert "old" not in text


def test_an_unknown_module_is_wrong_usage(bench):
    done = bench("nope")
    assert done.returncode == 2
    assert "no such benchmark: nope" in done.stderr


def test_the_real_modules_are_found():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "rules_python" in done.stdout
    assert "noop_server" not in done.stdout
