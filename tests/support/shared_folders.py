"""The folders of real data and foreign vectors that lie beside the project, and are never copied into it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"


def shared_folder(name: str) -> Path:
    """The folder; where it is not, the test is skipped, and fails where ``CI=true``."""
    folder = SHARED / name
    if not folder.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"the folder ../shared/{name} is missing, and CI must have it")
        pytest.skip(f"the folder ../shared/{name} is not here")
    return folder
