"""What the tests of every plugin may use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis_profile  # noqa: F401  loads it
import pytest
from cel_oracle import Oracle
from shared_folders import shared_folder

from segserver.strategies.api import Strategy
from segserver.strategies.contract import resolve


@pytest.fixture(scope="session")
def oracle() -> Callable[..., Oracle]:
    """Makes an oracle of a strategy and its settings."""

    def make(strategy: Strategy, **settings: Any) -> Oracle:
        return Oracle([resolve(strategy, settings)])

    return make


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real customer data beside the project; see its README."""
    return shared_folder("data")
