"""The real data beside the project, for the tests of this plugin."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real customer data beside the project; see its README."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "data"
    if not folder.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail("the folder ../shared/data is missing, and CI must have it")
        pytest.skip("the folder ../shared/data is not here")
    return folder
