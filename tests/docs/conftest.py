"""The scripts that write the documentation, as modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"scripts_{name}", ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


sessions = _script("sessions")
reference = _script("reference")
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", PAGES, ids=named)
    if "played" in metafunc.fixturenames:
        metafunc.parametrize("played", sessions.documents(), ids=named)


@pytest.fixture(name="sessions", scope="session")
def sessions_script() -> ModuleType:
    return sessions


@pytest.fixture(name="reference", scope="session")
def reference_script() -> ModuleType:
    return reference
