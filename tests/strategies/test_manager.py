"""What the manager does with plugins, above all with broken ones."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest

from segserver.errors import FailedPrecondition
from segserver.privacy.keys import KeyProvider
from segserver.strategies import hookimpl
from segserver.strategies.api import Attribute, Function, Segment, Settings, Strategy, Trait
from segserver.strategies.manager import Installed, load

GOOD = """
    from segserver.strategies import hookimpl
    from segserver.strategies.api import Strategy

    @hookimpl
    def segserver_strategies():
        yield Strategy(name="{name}", version="1.0.0")
"""


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], EntryPoint]:
    """Makes an entry point whose module has the given source."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(name: str, source: str) -> EntryPoint:
        module = f"{tmp_path.name.replace('-', '_')}_{name}"
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        return EntryPoint(name, module, "segserver")

    return make


def plugin(*strategies: object, functions: tuple[object, ...] = (), name: str = "sample") -> object:
    """A plugin in memory that yields these."""

    @hookimpl
    def segserver_strategies() -> object:
        yield from strategies

    @hookimpl
    def segserver_functions() -> object:
        yield from functions

    return SimpleNamespace(
        __name__=name, segserver_strategies=segserver_strategies, segserver_functions=segserver_functions
    )


def reason(*strategies: object, **kwargs: object) -> str:
    """Why the only plugin was quarantined."""
    installed = load([], [plugin(*strategies, **kwargs)])
    assert installed.strategies == ()
    assert installed.functions == ()
    return installed.quarantined[0].reason


def test_strategies_are_sorted_by_name_with_their_origin(entry):
    installed = load([entry("zeta", GOOD.format(name="zeta")), entry("alpha", GOOD.format(name="alpha"))])
    assert [s.name for s in installed.strategies] == ["alpha", "zeta"]
    assert [s.origin.plugin for s in installed.strategies] == ["alpha", "zeta"]
    assert installed.strategy("zeta").strategy.version == "1.0.0"
    assert installed.strategy("nobody") is None
    assert installed.quarantined == ()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("raise RuntimeError('no licence file')", "RuntimeError: no licence file"),
        ("import a_package_that_nobody_has", "ModuleNotFoundError: No module named"),
        ("def broken(:", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("x = 1", "implements no hook"),
        (
            """
            from segserver.strategies import hookimpl
            @hookimpl
            def segserver_strategys(): return []
            """,
            "unknown hook 'segserver_strategys'",
        ),
        (
            """
            from segserver.strategies import hookimpl
            @hookimpl
            def segserver_strategies(customer): return []
            """,
            "customer",
        ),
        (
            """
            from segserver.strategies import hookimpl
            @hookimpl
            def segserver_strategies(): raise ValueError("bands overlap")
            """,
            "ValueError: bands overlap",
        ),
        (
            """
            from segserver.strategies import hookimpl
            from segserver.strategies.api import Strategy
            @hookimpl
            def segserver_strategies():
                yield Strategy(name="half", version="1")
                raise ValueError("after the first")
            """,
            "ValueError: after the first",
        ),
    ],
)
def test_a_broken_plugin_is_quarantined_and_the_others_are_not(entry, source, expected):
    installed = load([entry("bad", source), entry("good", GOOD.format(name="good"))])
    assert [s.name for s in installed.strategies] == ["good"]
    (quarantined,) = installed.quarantined
    assert quarantined.origin.plugin == "bad"
    assert expected in quarantined.reason


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("not a strategy", "yielded str, not Strategy"),
        (Strategy(name="Upper", version="1"), "'Upper' is not a lower-case identifier"),
        (Strategy(name="now", version="1"), "is reserved"),
        (Strategy(name="s", version="1", api=99), "made for API version 99; this server has 1"),
        (Strategy(name="s", version=""), "the version is empty"),
        (Strategy(name="s", version="1" * 65), "the version has more than 64 characters"),
        (Strategy(name="s", version="1", settings=dict), "settings is not a subclass"),
        (Strategy(name="s", version="1", attributes=["age"]), "attributes hold str, not Attribute"),
        (Strategy(name="s", version="1", traits=["age"]), "traits hold str, not Trait"),
        (Strategy(name="s", version="1", segments=["age"]), "segments hold str, not Segment"),
    ],
)
def test_an_invalid_strategy_is_refused(strategy, expected):
    assert expected in reason(strategy)


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        (Attribute("Age", "int", "demographic"), "attribute Age: the name is not"),
        (Attribute("string", "int", "demographic"), "attribute string: the name is not"),
        (Attribute("age", "number", "demographic"), "unknown type 'number'; use one of bool"),
        (Attribute("age", "int", "private"), "unknown category 'private'; use one of identifier"),
        (Attribute("age", "int", "demographic", values=["1"]), "only a string"),
    ],
)
def test_an_invalid_attribute_is_refused(attribute, expected):
    assert expected in reason(Strategy(name="s", version="1", attributes=[attribute]))


@pytest.mark.parametrize(
    ("trait", "expected"),
    [
        (Trait("A", "int", rule="1"), "trait A: the name is not"),
        (Trait("a", "text", rule="'1'"), "unknown type 'text'"),
        (Trait("a", "int", rule="1", values=["1"]), "only a string"),
        (Trait("a", "int"), "give either a rule, or a function"),
        (Trait("a", "int", rule="1", function=len), "give either a rule, or a function"),
        (Trait("a", "int", function=len), "names the attributes that it reads"),
        (Trait("a", "int", rule="1", reads=["x"]), "leave reads empty"),
        (Trait("a", "int", function=len, reads=["x", "x"]), "reads names an attribute twice"),
        (Trait("a", "int", function=len, reads=["y"]), "reads y, which the strategy does not declare"),
    ],
)
def test_an_invalid_trait_is_refused(trait, expected):
    attributes = [Attribute("x", "int", "behavioral")]
    assert expected in reason(Strategy(name="s", version="1", attributes=attributes, traits=[trait]))


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        (Segment("Adults", "true"), "segment Adults: the id is not"),
        (Segment("a/in", "true"), "segment a/in: the id is not"),
        (Segment("adults", " "), "the rule is empty"),
        (Segment("adults", "true", minimum_audience=5), "below the floor of 20"),
    ],
)
def test_an_invalid_segment_is_refused(segment, expected):
    assert expected in reason(Strategy(name="s", version="1", segments=[segment]))


def test_names_given_twice_within_one_plugin_are_refused():
    twice = [Attribute("x", "int", "behavioral")] * 2
    assert "attribute x is defined 2 times" in reason(Strategy(name="s", version="1", attributes=twice))
    traits = [Trait("a", "int", rule="1")] * 2
    assert "trait a is defined 2 times" in reason(Strategy(name="s", version="1", traits=traits))
    segments = [Segment("a", "true")] * 2
    assert "segment a is defined 2 times" in reason(Strategy(name="s", version="1", segments=segments))
    strategy = Strategy(name="s", version="1")
    assert "it defines strategy s twice" in reason(strategy, strategy)


def test_two_plugins_with_one_strategy_are_both_quarantined_and_both_named():
    strategy, other = Strategy(name="loyalty", version="1"), Strategy(name="other", version="1")
    installed = load(
        [], [plugin(strategy, name="ours"), plugin(strategy, name="theirs"), plugin(other, name="third")]
    )
    assert [s.name for s in installed.strategies] == ["other"]
    assert [q.origin.plugin for q in installed.quarantined] == ["ours", "theirs"]
    for quarantined in installed.quarantined:
        assert "strategy loyalty is defined by plugin ours and by plugin theirs" in quarantined.reason


def test_two_plugins_with_one_function_are_both_quarantined():
    def function() -> Function:
        return Function("luhn_valid(string) -> bool", lambda text: True)

    installed = load(
        [], [plugin(functions=(function(),), name="ours"), plugin(functions=(function(),), name="theirs")]
    )
    assert installed.functions == ()
    assert all("function luhn_valid is defined by" in q.reason for q in installed.quarantined)


def test_functions_are_listed_by_name():
    installed = load([], [plugin(functions=(Function("twice(int) -> int", lambda n: n * 2),))])
    assert [function.name for function in installed.functions] == ["twice"]
    assert "not Function" in reason(functions=("twice",))


def test_a_check_that_fails_with_the_default_settings_quarantines():
    def check(settings: Settings) -> None:
        raise LookupError("the country list is empty")

    assert "LookupError: the country list is empty" in reason(Strategy(name="s", version="1", check=check))


def test_a_strategy_with_required_settings_waits_for_the_catalog():
    class Needs(Settings):
        threshold: int

    installed = load([], [plugin(Strategy(name="s", version="1", settings=Needs))])
    assert [s.name for s in installed.strategies] == ["s"]


def test_strict_mode_raises_with_every_reason(entry):
    with pytest.raises(FailedPrecondition, match=r"one.*two") as caught:
        load([entry("a", "raise RuntimeError('one')"), entry("b", "raise RuntimeError('two')")], strict=True)
    assert caught.value.reason == "PLUGIN_QUARANTINED"


def test_loading_twice_shares_nothing():
    strategy = plugin(Strategy(name="s", version="1"))
    assert load([], [strategy]) == load([], [strategy])
    assert load([]) == Installed()


def providing(*providers: object, name: str = "keys") -> object:
    """A plugin in memory that yields these key providers."""

    @hookimpl
    def segserver_key_providers() -> object:
        yield from providers

    return SimpleNamespace(__name__=name, segserver_key_providers=segserver_key_providers)


def provider(name: str) -> KeyProvider:
    return KeyProvider(name, create=lambda keyring: None, load=lambda: None, replace=lambda keyring: None)


def test_key_providers_are_sorted_and_a_wrong_one_is_quarantined():
    sound = [provider("vault"), provider("cloud")]
    assert [p.name for p in load([], [providing(*sound)]).key_providers] == ["cloud", "vault"]
    for wrong, expected in [
        ([provider("vault"), "text"], "the hook yielded str, not KeyProvider"),
        ([provider("file")], "it defines key provider file, which is the server's own"),
        ([provider("vault"), provider("vault")], "it defines key provider vault twice"),
    ]:
        installed = load([], [providing(*wrong)])
        assert installed.key_providers == ()
        assert installed.quarantined[0].reason == expected
    clash = load([], [providing(provider("vault"), name="a"), providing(provider("vault"), name="b")])
    assert clash.key_providers == ()
    assert len(clash.quarantined) == 2
