"""Every hook is documented, with an example that runs, and used in these tests."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from segserver.privacy.keys import KeyProvider
from segserver.strategies import PROJECT, api, hookimpl, hookspecs
from segserver.strategies.manager import load

HOOKS = [
    function
    for function in vars(hookspecs).values()
    if inspect.isfunction(function) and hasattr(function, f"{PROJECT}_spec")
]


def test_there_are_hooks():
    assert [hook.__name__ for hook in HOOKS] == [
        "segserver_strategies",
        "segserver_functions",
        "segserver_key_providers",
    ]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.__name__)
def test_a_hook_says_what_it_is_with_an_example_that_loads(hook):
    before, marker, example = inspect.getdoc(hook).partition("Example::\n")
    assert before.strip()
    assert marker
    names = {**vars(api), "hookimpl": hookimpl, "luhn_valid": lambda text: True, "KeyProvider": KeyProvider}
    names |= dict.fromkeys(("store_first", "fetch", "store_again"), lambda *_: None)
    exec(textwrap.dedent(example), names)  # noqa: S102 - our own documentation
    plugin = SimpleNamespace(__name__="example", **{hook.__name__: names[hook.__name__]})
    installed = load([], [plugin], strict=True)
    assert installed.strategies or installed.functions or installed.key_providers


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.__name__)
def test_a_hook_is_implemented_in_the_tests_of_the_manager(hook):
    text = (Path(__file__).parent / "test_manager.py").read_text()
    assert re.search(rf"def {hook.__name__}\(", text)


def test_every_noun_of_the_plugin_api_is_documented():
    for name in set(api.__all__) - {"API_VERSION", "Aggregate"}:
        assert getattr(api, name).__doc__, name
