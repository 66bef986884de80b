"""Code that is not trusted runs elsewhere: what it declares, what it answers, and what it can't do."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path

import hostile_strategies as hostile
import polars as pl
import pytest
from plugin_folders import distribution, with_code

from segserver.errors import FailedPrecondition, InvalidInput
from segserver.strategies import contract
from segserver.strategies.host import Host
from segserver.strategies.isolation.isolation import Isolation, released_with_server
from segserver.strategies.isolation.supervisor import HostStats, Rules
from segserver.strategies.manager import Installed, load
from segserver.strategies.returned import StrategyFailedError

TRUSTED = ["*"]
SECRET_VARIABLE = "SEGSERVER_TEST_SECRET"
EVERY_TYPE = """
def same(*values):
    return values[0]

NAMES = {"n": "int", "x": "double", "flag": "bool", "text": "string", "at": "timestamp"}
NAMES["tags"] = "list(string)"

@hookimpl
def segserver_strategies():
    yield Strategy(
        name="kinds", version="1.0.0",
        attributes=[Attribute(name, kind, category="behavioral") for name, kind in NAMES.items()],
        traits=[Trait(f"same_{name}", kind, reads=[name], function=same) for name, kind in NAMES.items()],
    )
"""


@contextmanager
def isolated(folder: Path, **options: object) -> Iterator[Installed]:
    """The plugins in a folder, each in its process, and no others."""
    rules = Rules(**{"call_s_max": 10.0, "start_s_max": 60.0, "failures_max": 100, **options})
    isolation = Isolation(trusted=TRUSTED, path=[folder], keep_out=[folder / "secrets"], rules=rules)
    installed = load(isolation=isolation)
    own = {s.name for s in installed.strategies if s.isolated}
    strategies = tuple(s for s in installed.strategies if s.name in own)
    try:
        yield Installed(strategies, quarantined=installed.quarantined, isolation=isolation)
    finally:
        isolation.close()


def code(installed: Installed, host: Host, name: str) -> Callable[..., object]:
    """The scalar form of ``strategy.trait``."""
    strategy, _, trait = name.partition(".")
    resolved = installed.strategy(strategy).resolve()
    types = {attribute.name: attribute.type for attribute in resolved.strategy.attributes}
    found = next(one for one in resolved.traits if one.name == trait)
    return host.coded(name, found, types)


def stats(installed: Installed) -> HostStats:
    (found,) = installed.isolation.stats()
    return found


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("good")
    distribution(folder, "kinds", EVERY_TYPE)
    distribution(folder, "upper", with_code("upper", "return text.upper() if text else None"))
    with isolated(folder) as installed:
        yield installed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", -(2**63)),
        ("x", -0.0),
        ("flag", True),
        ("text", "grüße 👋"),
        ("at", 1_700_000_000_123_456),
        ("tags", ("a", "")),
    ],
)
def test_every_type_goes_there_and_back(good, name, value):
    step = code(good, Host(), f"kinds.same_{name}")
    result = step.scalar(value)
    assert (result, type(result)) == (value, type(value))
    assert str(result) == str(value)


def test_a_table_asks_once_for_each_distinct_input(good):
    step = code(good, Host(), "upper.t")
    before = next(s for s in good.isolation.stats() if s.distribution == "upper").inputs
    texts = [f"t{n % 100}" for n in range(1_000)] + [""]
    answered = step.vectorized(pl.Series(texts, dtype=pl.String))
    assert answered.to_list() == [text.upper() or None for text in texts]
    after = next(s for s in good.isolation.stats() if s.distribution == "upper").inputs
    assert after - before == 101


def test_an_isolated_strategy_is_resolved_as_a_trusted_one(tmp_path, good, monkeypatch):
    source = """
class Own(Settings):
    limit: int = 5
    names: tuple[str, ...] = ("a",)

def check(settings):
    if settings.limit == 13:
        raise ValueError("unlucky")

@hookimpl
def segserver_strategies():
    yield Strategy(
        name="settled", version="1.0.0", title="Settled", settings=Own, check=check,
        attributes=[Attribute("n", "int", category="behavioral", values=())],
        traits=lambda own: [Trait("big", "bool", rule=f"n > {own.limit}", title="Big")],
        segments=lambda own: [
            Segment(f"settled/{name}", rule="settled.big", tags=["x"]) for name in own.names
        ],
    )
"""
    distribution(tmp_path, "settled", source)
    monkeypatch.syspath_prepend(tmp_path)
    (point,) = entry_points(group="segserver", name="settled")
    trusted = load([point]).strategy("settled")
    with isolated(tmp_path) as installed:
        strategy = installed.strategy("settled")
        assert (strategy.isolated, trusted.isolated) == (True, False)
        for given in ({}, {"limit": 7, "names": ["b", "c"]}):
            ours, theirs = strategy.resolve(given), trusted.resolve(given)
            assert ours.settings.model_dump(mode="json") == theirs.settings.model_dump(mode="json")
            assert [t.rule for t in ours.traits] == [t.rule for t in theirs.traits]
            assert [(s.id, s.rule, tuple(s.tags)) for s in ours.segments] == [
                (s.id, s.rule, tuple(s.tags)) for s in theirs.segments
            ]
        for wrong in ({"limit": "many"}, {"limits": 1}, {"limit": 13}):
            with pytest.raises(InvalidInput) as ours_error:
                strategy.resolve(wrong)
            with pytest.raises(InvalidInput) as theirs_error:
                trusted.resolve(wrong)
            assert ours_error.value.violations == theirs_error.value.violations


def test_what_a_rule_calls_keeps_keys_or_sees_everybody_needs_trust(tmp_path):
    source = """
from segserver.privacy.keys import KeyProvider
from segserver.strategies.api import Fit

class Own(Settings):
    fit: dict | None = None

@hookimpl
def segserver_functions():
    yield Function("twice(int) -> int", lambda n: 2 * n)

@hookimpl
def segserver_key_providers():
    yield KeyProvider("vault", create=print, load=print, replace=print)

@hookimpl
def segserver_strategies():
    yield Strategy(name="learner", version="1", settings=Own, fit=Fit(reads=["n"], function=print))
"""
    distribution(tmp_path, "needy", source)
    with isolated(tmp_path) as installed:
        (quarantined,) = installed.quarantined
    assert quarantined.reason == (
        "it brings function twice, key provider vault, a fit of learner, which can't run in a plugin host "
        "process: name needy in trusted_plugins, or leave that out"
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os; os._exit(7)", "its plugin host process ended with exit code 7"),
        ("while True: pass", "its plugin host process did not answer in time"),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("x = 1", "it implements no hook"),
    ],
)
def test_a_plugin_that_does_not_load_is_quarantined_alone(tmp_path, source, expected):
    distribution(tmp_path, "broken", source)
    distribution(tmp_path, "fine", with_code("fine", "return text"))
    with isolated(tmp_path, start_s_max=8.0 if "while" in source else 60.0) as installed:
        assert [s.name for s in installed.strategies] == ["fine"]
        assert [(q.origin.plugin, q.reason) for q in installed.quarantined] == [("broken", expected)]


def test_what_could_not_be_compiled_is_told_as_a_problem(tmp_path):
    source = """
@hookimpl
def segserver_strategies():
    yield Strategy(name="long", version="1", traits=[Trait("t", "bool", rule="true" + " " * 70_000)])
"""
    distribution(tmp_path, "long", source)
    with isolated(tmp_path) as installed:
        (quarantined,) = installed.quarantined
    assert quarantined.reason == "strategy long: a rule has more than 65536 characters"


def test_it_can_take_no_name_from_a_trusted_plugin_and_put_none_out(tmp_path):
    distribution(tmp_path, "usurper", with_code("needs", "return text"))
    isolation = Isolation(path=[tmp_path])
    try:
        installed = load(isolation=isolation)
        assert not installed.strategy("needs").isolated
        (quarantined,) = [one for one in installed.quarantined if one.origin.plugin == "usurper"]
        assert "strategy needs is defined by" in quarantined.reason
    finally:
        isolation.close()


def test_its_module_is_never_imported_here(tmp_path):
    distribution(tmp_path, "elsewhere", with_code("elsewhere", "return str(os.getpid())"))
    with isolated(tmp_path) as installed:
        pid = code(installed, Host(), "elsewhere.t").scalar("x")
        assert int(pid) != os.getpid()
        assert "elsewhere" not in sys.modules


@pytest.fixture(scope="module")
def hostiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("hostile")
    distribution(folder, "hostile", hostile.source(*hostile.NAMES))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET_VARIABLE, hostile.SECRET)
        with isolated(folder, call_s_max=2.0, start_s_max=60.0) as installed:
            yield installed


ANSWERS = {
    "raises": "ValueError",
    "exits": "SystemExit",
    "allocates": "MemoryError",
    "wrong_type": "InvalidInput",
    "wrong_value": "InvalidInput",
    "names_an_exception": "Exception",
    "forks": "PermissionError",
    "spawns": "PermissionError",
    "kills": "PermissionError",
    "connects": "PermissionError",
    "reads_parent": "PermissionError",
    "reads_parent_memory": "PermissionError",
    "writes": "PermissionError",
    "hangs": "did not answer in time",
    "sleeps": "did not answer in time",
    "ends": "ended with exit code 3",
    "segfaults": "ended by SIGSEGV",
    "says_what_nobody_asked": "broke the protocol",
    "answers_another_question": "broke the protocol",
    "promises_gigabytes": "broke the protocol",
}
HARMLESS = {"reads_own_environment": "'POLARS_MAX_THREADS'", "prints": "printed"}
ENDS = {
    "hangs",
    "sleeps",
    "ends",
    "segfaults",
    "allocates",
    *(n for n, r in ANSWERS.items() if r == "broke the protocol"),
}
NEEDS_WALLS = {name for name, reason in ANSWERS.items() if reason == "PermissionError"}


def test_every_hostile_strategy_is_expected():
    assert {*ANSWERS, *HARMLESS} == {*hostile.NAMES}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_a_hostile_strategy_costs_its_own_values(hostiles, name):
    before = stats(hostiles)
    if name in NEEDS_WALLS and not {"landlock", "seccomp"} <= {*before.walls}:
        pytest.skip("this kernel has not all walls")
    host = Host()
    step = code(hostiles, host, f"hostile.{name}")
    with pytest.raises(StrategyFailedError) as caught:
        step.scalar("now")
    assert "now" not in str(caught.value).partition(":")[2]
    (failures,) = host.failures.values()
    assert (failures.count, failures.last) == (1, ANSWERS[name])
    assert stats(hostiles).failures - before.failures == (name in ENDS)
    assert step.scalar("later") == "yes"
    assert host.failures == {f"hostile.{name}": failures}


def test_it_has_no_environment_and_nothing_it_prints_is_seen(hostiles, capfd):
    host = Host()
    environment = code(hostiles, host, "hostile.reads_own_environment").scalar("now")
    assert hostile.SECRET not in environment
    assert SECRET_VARIABLE not in environment
    assert "PATH" not in environment
    assert code(hostiles, host, "hostile.prints").scalar("now") == "printed"
    assert capfd.readouterr() == ("", "")


def test_secrets_beside_its_modules_are_not_to_be_read(tmp_path):
    folder = tmp_path / "plugins"
    distribution(folder, "reader", with_code("reader", f"return open('{tmp_path}/data/keyring.json').read()"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "keyring.json").write_text(hostile.SECRET)
    isolation = Isolation(trusted=TRUSTED, path=[folder, tmp_path], keep_out=[tmp_path / "data"])
    installed = load(isolation=isolation)
    try:
        if "landlock" not in stats(Installed(isolation=isolation)).walls:
            pytest.skip("this kernel has no landlock")
        host = Host()
        with pytest.raises(StrategyFailedError):
            code(installed, host, "reader.t").scalar("x")
        assert host.failures["reader.t"].last == "PermissionError"
    finally:
        isolation.close()


def test_one_that_fails_again_and_again_is_left_alone_and_told_of(tmp_path):
    distribution(tmp_path, "hostile", hostile.source("ends"))
    distribution(tmp_path, "fine", with_code("fine", "return text"))
    with isolated(tmp_path, failures_max=2) as installed:
        told = []
        installed.isolation.opened = lambda *what: told.append(what)
        host = Host()
        step, other = code(installed, host, "hostile.ends"), code(installed, host, "fine.t")
        for _ in range(2):
            with pytest.raises(StrategyFailedError):
                step.scalar("now")
        with pytest.raises(StrategyFailedError):
            step.scalar("later")
        assert host.failures["hostile.ends"].last == "is left alone after failures"
        assert other.scalar("x") == "x"
        assert told == [("hostile", "ended with exit code 3")]
        assert installed.strategy("hostile").resolve().segments[0].id == "hostile/ends"
        found = {one.distribution: one for one in installed.isolation.stats()}
        assert (found["hostile"].state, found["hostile"].opened) == ("open", 1)
        assert found["fine"].state in ("running", "idle")


def test_an_example_that_hangs_does_not_keep_the_process_from_starting_again(tmp_path):
    source = with_code("late", "return text").replace(
        "def function(text):", "def function(text):\n    while text == 'example': pass"
    )
    distribution(tmp_path, "late", source)
    with isolated(tmp_path, start_s_max=8.0) as installed:
        host = Host()
        step = code(installed, host, "late.t")
        host.warm_up(["late.t"])
        assert host.failures["late.t"].last == "did not answer in time"
        assert step.scalar("x") == "x"
        assert stats(installed).starts == 2


def test_a_plugin_that_changed_meanwhile_is_not_run(tmp_path):
    module = distribution(tmp_path, "hostile", hostile.source("ends"))
    with isolated(tmp_path) as installed:
        host = Host()
        step = code(installed, host, "hostile.ends")
        with pytest.raises(StrategyFailedError):
            step.scalar("now")
        module.write_text(module.read_text().replace('version="1.0.0"', 'version="2.0.0"'))
        with pytest.raises(StrategyFailedError):
            step.scalar("later")
        assert "start the server again" in host.failures["hostile.ends"].last


def test_an_isolated_trait_does_not_travel(good):
    with pytest.raises(FailedPrecondition, match="name kinds in trusted_plugins"):
        pickle.dumps(code(good, Host(), "kinds.same_n"))


def test_what_is_released_with_the_server_is_trusted_and_nothing_else(pytestconfig):
    plugins = {folder.name for folder in (pytestconfig.rootpath / "plugins").glob("segserver-*")}
    assert plugins <= released_with_server()
    isolation = Isolation(trusted=["Some_Plugin"], path=[Path("/plugins")])
    assert not isolation.isolates("segserver-tech", "")
    assert not isolation.isolates("some.plugin", "")
    assert isolation.isolates("segserver-techs", "")
    assert isolation.isolates("", "")
    assert isolation.isolates("segserver-tech", "/plugins")


def test_what_the_child_declares_is_held_to_the_contract(good):
    resolved = good.strategy("kinds").resolve()
    assert contract.checked(resolved) is resolved
    with pytest.raises(FailedPrecondition):
        resolved.traits[0].function(1)


def test_the_process_ends_with_its_server(tmp_path):
    distribution(tmp_path, "orphan", with_code("orphan", "return str(os.getpid())"))
    program = f"""
import os
from pathlib import Path
from segserver.strategies.isolation.isolation import Isolation
from segserver.strategies.manager import load
from segserver.strategies.host import Host
installed = load(isolation=Isolation(trusted=["*"], path=[Path({str(tmp_path)!r})]))
resolved = installed.strategy("orphan").resolve()
print(Host().coded("orphan.t", resolved.traits[0], {{"text": "string"}}).scalar("x"), flush=True)
os.kill(os.getpid(), 9)
"""
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    left = Path("/proc", ended.stdout.strip(), "cmdline")
    until = time.monotonic() + 10
    while left.exists() and left.read_bytes():
        assert time.monotonic() < until, "it outlives its server"
        time.sleep(0.01)
