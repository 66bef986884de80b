"""Every installed strategy keeps the contract; nobody lists them here."""

from __future__ import annotations

import pytest

from segserver.strategies.contract import takes_defaults
from segserver.strategies.manager import load
from segserver.strategies.testing import check_strategy

INSTALLED = load()
STRATEGIES = [installed.strategy for installed in INSTALLED.strategies]


def test_no_installed_plugin_is_in_quarantine():
    assert [str(quarantined) for quarantined in INSTALLED.quarantined] == []


@pytest.mark.parametrize("strategy", STRATEGIES, ids=[strategy.name for strategy in STRATEGIES])
def test_an_installed_strategy_keeps_the_contract(strategy):
    assert takes_defaults(strategy)
    others = [other for other in STRATEGIES if other is not strategy]
    functions = [installed.function for installed in INSTALLED.functions]
    check_strategy(strategy, others=others, functions=functions, examples=15)
