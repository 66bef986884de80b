"""What every test may use."""

from __future__ import annotations

from pathlib import Path

import hypothesis_profile  # noqa: F401  loads it
import pytest
from shared_folders import shared_folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real customer data beside the project; see its README."""
    return shared_folder("data")


@pytest.fixture(scope="session")
def shared_vectors() -> Path:
    """The folder of foreign test vectors beside the project."""
    return shared_folder("vectors")
