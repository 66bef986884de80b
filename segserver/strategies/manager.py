"""Finds the plugins, loads each alone, and says why it left one out.

A plugin is the object behind an entry point of the group ``segserver``. Whatever goes wrong with it (an
error at import, a hook that raises, a hook that no one calls, a wrong API version, an invalid noun, a name
that another plugin defines too) puts the whole plugin in quarantine: nothing of it is used, and its reason
is listed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, distributions
from importlib.metadata import entry_points as installed_entry_points
from typing import Any, TypeVar

import pluggy

from segserver.errors import Conflict, FailedPrecondition, InvalidInput
from segserver.privacy.keys import FILE_PROVIDER, KeyProvider
from segserver.rules.functions import table_of
from segserver.strategies import PROJECT, contract, hookspecs
from segserver.strategies.api import Function, Strategy
from segserver.strategies.contract import ResolvedStrategy
from segserver.strategies.isolation import messages
from segserver.strategies.isolation.isolation import REASON_MAX, IsolatedStrategy, Isolation


@dataclass(frozen=True, slots=True)
class Origin:
    """The entry point of a plugin, and the distribution that brought it (empty for an object in memory)."""

    plugin: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        if not self.distribution:
            return f"plugin {self.plugin}"
        return f"plugin {self.plugin} of {self.distribution} {self.version}"


@dataclass(frozen=True, slots=True)
class InstalledStrategy:
    """A strategy and where it came from."""

    strategy: Strategy
    origin: Origin

    @property
    def name(self) -> str:
        """The strategy's name."""
        return self.strategy.name

    @property
    def isolated(self) -> bool:
        """Whether its code runs in a plugin host process."""
        return isinstance(self.strategy, IsolatedStrategy)

    def resolve(self, settings: Mapping[str, Any] | None = None) -> ResolvedStrategy:
        """The strategy under these settings, decided where its code is. Raises :class:`InvalidInput`."""
        return _resolve(self.strategy, settings)


@dataclass(frozen=True, slots=True)
class InstalledFunction:
    """A function for rules and where it came from."""

    function: Function
    origin: Origin

    @property
    def name(self) -> str:
        """The function's name in rules."""
        return function_name(self.function)


_Installed = TypeVar("_Installed", InstalledStrategy, InstalledFunction)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A plugin that is not used, and why."""

    origin: Origin
    reason: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Installed:
    """What the plugins brought, sorted by name."""

    strategies: tuple[InstalledStrategy, ...] = ()
    functions: tuple[InstalledFunction, ...] = ()
    key_providers: tuple[KeyProvider, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    isolation: Isolation | None = field(default=None, compare=False)
    """Holds the plugin host processes, where code is isolated."""

    def close(self) -> None:
        """Ends the plugin host processes."""
        if self.isolation is not None:
            self.isolation.close()

    def strategy(self, name: str) -> InstalledStrategy | None:
        """The strategy of this name, if one is installed."""
        return next((installed for installed in self.strategies if installed.name == name), None)


@dataclass(frozen=True, slots=True)
class _Plugin:
    """A plugin that is sound by itself; others may still define the same names."""

    origin: Origin
    strategies: tuple[Strategy, ...]
    functions: tuple[Function, ...] = ()
    key_providers: tuple[KeyProvider, ...] = ()
    isolated: bool = False

    def names(self) -> Iterator[str]:
        yield from (f"strategy {strategy.name}" for strategy in self.strategies)
        yield from (f"function {function_name(function)}" for function in self.functions)
        yield from (f"key provider {provider.name}" for provider in self.key_providers)


def function_name(function: Function) -> str:
    """The name in a CEL signature: ``luhn_valid`` of ``luhn_valid(string) -> bool``."""
    return function.signature.partition("(")[0].strip()


def load(
    entry_points: Iterable[EntryPoint] | None = None,
    extra: Sequence[object] = (),
    *,
    strict: bool = False,
    isolation: Isolation | None = None,
) -> Installed:
    """Loads every plugin, each alone.

    ``entry_points`` defaults to all of the group ``segserver``; ``extra`` holds plugin objects (modules or
    instances) that need no installation. With ``strict``, a quarantined plugin raises
    :class:`FailedPrecondition` with all the reasons. What ``isolation`` isolates is not imported here;
    without it, everything runs in this process.

    When two plugins define one name, both are quarantined: which of them is meant can't be known, and
    neither may take the other's place by the accident of its name. Only a trusted plugin keeps a name that
    isolated ones claim.
    """
    sound: list[_Plugin] = []
    quarantined: list[Quarantined] = []
    apart: dict[Origin, EntryPoint] = {}
    for origin, source in _sources(_discovered(isolation) if entry_points is None else entry_points, extra):
        if isinstance(source, EntryPoint) and _is_apart(isolation, source):
            apart[origin] = source
            continue
        try:
            sound.append(_load(origin, source))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a panic of Rust's, CancelledError and SystemExit are no Exception
            quarantined.append(Quarantined(origin, _reason(error)))
    if isolation is not None:
        _load_apart(isolation, apart, sound, quarantined)
    clashes = _clashes(sound)
    quarantined += [Quarantined(plugin.origin, reason) for plugin, reason in clashes]
    clashing = {id(plugin) for plugin, _ in clashes}
    usable = [plugin for plugin in sound if id(plugin) not in clashing]
    if strict and quarantined:
        if isolation is not None:
            isolation.close()
        reasons = "; ".join(str(entry) for entry in quarantined)
        raise FailedPrecondition(f"a plugin can't be used: {reasons}", reason="PLUGIN_QUARANTINED")
    return Installed(
        strategies=_sorted(
            InstalledStrategy(s, plugin.origin) for plugin in usable for s in plugin.strategies
        ),
        functions=_sorted(InstalledFunction(f, plugin.origin) for plugin in usable for f in plugin.functions),
        key_providers=tuple(
            sorted((p for plugin in usable for p in plugin.key_providers), key=lambda provider: provider.name)
        ),
        quarantined=tuple(sorted(quarantined, key=lambda q: (q.origin.plugin, q.origin.distribution))),
        isolation=isolation,
    )


class _NotAPluginError(Exception):
    """The plugin breaks the contract; the message is the reason for its quarantine."""


def _discovered(isolation: Isolation | None) -> Iterator[EntryPoint]:
    """The entry points of what is installed beside the server, and in the isolated folders."""
    yield from installed_entry_points(group=PROJECT)
    if isolation is not None and isolation.path:
        for found in distributions(path=list(isolation.path)):
            yield from found.entry_points.select(group=PROJECT)


def _is_apart(isolation: Isolation | None, point: EntryPoint) -> bool:
    if isolation is None:
        return False
    if point.dist is None:
        return isolation.isolates("", "")
    return isolation.isolates(point.dist.name, str(point.dist.locate_file("")))


def _sources(
    points: Iterable[EntryPoint], extra: Sequence[object]
) -> Iterator[tuple[Origin, EntryPoint | object]]:
    for point in sorted(points, key=lambda p: (p.name, p.value)):
        dist = point.dist
        yield (Origin(point.name, dist.name, dist.version) if dist else Origin(point.name)), point
    for plugin in extra:
        yield Origin(str(getattr(plugin, "__name__", type(plugin).__name__))), plugin


def _load(origin: Origin, source: EntryPoint | object) -> _Plugin:
    """One plugin, in a pluggy manager of its own that is dropped afterwards: nothing stays
    half-registered."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    loaded = source.load() if isinstance(source, EntryPoint) else source
    manager.register(loaded, origin.plugin)
    manager.check_pending()
    if not manager.get_hookcallers(loaded):
        raise _NotAPluginError("it implements no hook")
    plugin = _Plugin(
        origin,
        strategies=tuple(s for yielded in manager.hook.segserver_strategies() for s in yielded),
        functions=tuple(f for yielded in manager.hook.segserver_functions() for f in yielded),
        key_providers=tuple(p for yielded in manager.hook.segserver_key_providers() for p in yielded),
    )
    if problems := list(_problems(plugin)):
        raise _NotAPluginError("; ".join(problems))
    return plugin


def _load_apart(
    isolation: Isolation,
    points: Mapping[Origin, EntryPoint],
    sound: list[_Plugin],
    quarantined: list[Quarantined],
) -> None:
    """The plugins that are isolated: what they declare comes from their plugin host processes."""
    by_distribution: dict[str, list[Origin]] = defaultdict(list)
    for origin in points:
        by_distribution[origin.distribution].append(origin)
    found = isolation.load(
        {
            distribution: [(origin.plugin, points[origin].value) for origin in origins]
            for distribution, origins in by_distribution.items()
        }
    )
    for distribution, origins in by_distribution.items():
        declared = found[distribution]
        for position, origin in enumerate(origins):
            try:
                if isinstance(declared, str):
                    raise _NotAPluginError(declared)
                sound.append(_declared(isolation, origin, declared[position]))
            except (_NotAPluginError, InvalidInput) as error:
                quarantined.append(Quarantined(origin, _reason(error)[:REASON_MAX]))


def _declared(isolation: Isolation, origin: Origin, declared: messages.Plugin) -> _Plugin:
    if declared.problem:
        raise _NotAPluginError(declared.problem)
    named = [f"function {name}" for name in declared.functions]
    named += [f"key provider {name}" for name in declared.key_providers]
    named += [f"a fit of {strategy.name}" for strategy in declared.strategies if strategy.fits]
    if named:
        raise _NotAPluginError(
            f"it brings {', '.join(named)}, which can't run in a plugin host process: name "
            f"{origin.distribution} in trusted_plugins, or leave that out"
        )
    plugin = _Plugin(origin, isolation.strategies(origin.distribution, declared), isolated=True)
    if problems := list(_problems(plugin)):
        raise _NotAPluginError("; ".join(problems))
    return plugin


def _resolve(strategy: Strategy, settings: Mapping[str, Any] | None = None) -> ResolvedStrategy:
    if isinstance(strategy, IsolatedStrategy):
        return strategy.resolve(settings)
    return contract.resolve(strategy, settings)


def _takes_defaults(strategy: Strategy) -> bool:
    if isinstance(strategy, IsolatedStrategy):
        return strategy.takes_defaults
    return contract.takes_defaults(strategy)


def _problems(plugin: _Plugin) -> Iterator[str]:
    found = [problem for strategy in plugin.strategies for problem in contract.problems(strategy)]
    found += [
        f"the hook yielded {type(function).__name__}, not Function"
        for function in plugin.functions
        if not isinstance(function, Function)
    ]
    found += [
        f"the hook yielded {type(provider).__name__}, not KeyProvider"
        for provider in plugin.key_providers
        if not isinstance(provider, KeyProvider)
    ]
    if found:
        yield from found
        return
    if any(provider.name == FILE_PROVIDER for provider in plugin.key_providers):
        yield f"it defines key provider {FILE_PROVIDER}, which is the server's own"
    table_of(plugin.functions)
    for strategy in plugin.strategies:
        if _takes_defaults(strategy):
            _resolve(strategy)
    names = list(plugin.names())
    yield from (f"it defines {name} twice" for name in sorted({n for n in names if names.count(n) > 1}))


def _clashes(plugins: Sequence[_Plugin]) -> list[tuple[_Plugin, str]]:
    owners: dict[str, list[_Plugin]] = defaultdict(list)
    for plugin in plugins:
        for name in plugin.names():
            owners[name].append(plugin)
    reasons: dict[int, list[str]] = defaultdict(list)
    for name, claimants in sorted(owners.items()):
        if len(claimants) > 1:
            trusted = [plugin for plugin in claimants if not plugin.isolated]
            named = " and by ".join(str(plugin.origin) for plugin in claimants)
            reason = f"{name} is defined by {named}; uninstall one of them"
            for plugin in claimants:
                if trusted == [plugin]:
                    continue  # nothing that is not trusted can take its place, or put it out
                reasons[id(plugin)].append(reason)
    return [(plugin, "; ".join(reasons[id(plugin)])) for plugin in plugins if id(plugin) in reasons]


def _reason(error: BaseException) -> str:
    """At import a plugin holds code, and no customer's data, so its own words may be shown."""
    text = " ".join(str(error).split())
    return (
        text
        if isinstance(error, _NotAPluginError | InvalidInput | Conflict)
        else f"{type(error).__name__}: {text}"
    )


def _sorted(found: Iterable[_Installed]) -> tuple[_Installed, ...]:
    return tuple(sorted(found, key=lambda installed: installed.name))
