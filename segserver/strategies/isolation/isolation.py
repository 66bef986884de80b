"""Which distributions are isolated, and the plugin host process of each."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from segserver.errors import InvalidInput
from segserver.strategies import contract
from segserver.strategies.api import Settings, Strategy
from segserver.strategies.contract import ResolvedStrategy
from segserver.strategies.isolation import messages, nouns
from segserver.strategies.isolation.process import NoAnswerError
from segserver.strategies.isolation.supervisor import HostStats, Rules, Supervisor
from segserver.strategies.isolation.traits import RemoteCode

SERVER = "segserver"
EVERYTHING = "*"
SETTINGS_DEPTH_MAX = 32
VIOLATIONS_MAX, REASON_MAX = 50, 1_000
"""So many violations are listed of what an isolated plugin says, and so many characters of each."""
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class _Decided(Settings):
    """The resolved settings of an isolated strategy, whose own class is elsewhere."""

    model_config = {"extra": "allow", "frozen": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolatedStrategy(Strategy):
    """A strategy as its plugin host process declared it. Traits and segments are there."""

    supervisor: Supervisor
    takes_defaults: bool

    def resolve(self, settings: Mapping[str, Any] | None = None) -> ResolvedStrategy:
        """The strategy under these settings. Raises :class:`InvalidInput` as
        :func:`segserver.strategies.contract.resolve` does, and where the process gives no answer."""
        given = msgspec.json.encode(dict(settings or {}))
        try:
            reply = self.supervisor.ask(messages.Resolve(self.name, given))
        except NoAnswerError as error:
            raise contract.invalid(self, [("", f"its plugin host process {error.message}")]) from None
        if isinstance(reply, messages.Refused):
            told = reply.violations[:VIOLATIONS_MAX]
            raise contract.invalid(self, [(field[:200], what[:REASON_MAX]) for field, what in told])
        if not isinstance(reply, messages.Resolved):
            raise contract.invalid(self, [("", "its plugin host process broke the protocol")])
        try:
            resolved = ResolvedStrategy(
                self,
                _decided(reply.settings),
                events=nouns.events(reply),
                computed=nouns.computed(reply),
                traits=nouns.traits(reply, lambda trait: self._code(given, trait)),
                segments=nouns.segments(reply),
            )
        except InvalidInput as error:
            raise contract.invalid(self, [("", error.message)]) from None
        except (ValueError, RecursionError):
            raise contract.invalid(self, [("", "its settings are no JSON object")]) from None
        return contract.checked(resolved)

    def _code(self, settings: bytes, trait: str) -> RemoteCode:
        return RemoteCode(self.supervisor, self.name, settings, trait)


class Isolation:
    """Holds the plugin host processes of a server.

    Code runs in the server's process when its distribution is the server's own, one that the server's own
    package names among its requirements (its extras, too), or one of ``trusted``, where ``*`` stands for
    all. Any other is isolated, and so is everything in ``path``, the folders of plugins that are not
    installed beside the server. ``keep_out`` are folders with the server's own data. ``opened`` is told the
    distribution and the reason when a breaker opens, in a thread without an event loop.
    """

    def __init__(
        self,
        *,
        trusted: Iterable[str] = (),
        path: Sequence[Path] = (),
        keep_out: Sequence[Path] = (),
        rules: Rules | None = None,
        memory_bytes_max: int = 1024 * 1024 * 1024,
        cpu_s_max: int = 3_600,
    ) -> None:
        self._trusted = {EVERYTHING if name == EVERYTHING else normalized(name) for name in trusted}
        self._trusted |= released_with_server()
        self.path = tuple(str(folder.resolve()) for folder in path)
        self._keep_out = [str(folder.resolve()) for folder in keep_out]
        self._rules = rules or Rules()
        self._limits = memory_bytes_max, cpu_s_max
        self._supervisors: dict[str, Supervisor] = {}
        self.opened: Callable[[str, str], None] = lambda _distribution, _reason: None

    def isolates(self, distribution: str, folder: str) -> bool:
        """Whether code of this distribution, installed in this folder, stays out of the server's process."""
        return folder in self.path or self._trusted.isdisjoint((EVERYTHING, normalized(distribution)))

    def load(
        self, distributions: Mapping[str, Sequence[tuple[str, str]]]
    ) -> dict[str, Sequence[messages.Plugin] | str]:
        """What the plugins of each distribution declare, or why they could not be loaded. Entry points are
        pairs of name and value. All processes start at once."""
        memory, cpu_s = self._limits
        loading: dict[str, Future[messages.Reply]] = {}
        for distribution, points in distributions.items():
            setup = messages.Setup(memory, cpu_s, self._keep_out, list(self.path), list(points))
            supervisor = Supervisor(distribution, setup, self._rules, self._tell)
            self._supervisors[distribution] = supervisor
            loading[distribution] = supervisor.load()
        found: dict[str, Sequence[messages.Plugin] | str] = {}
        for distribution, future in loading.items():
            try:
                reply = future.result()
            except NoAnswerError as error:
                found[distribution] = f"its plugin host process {error.message}"
                self._supervisors.pop(distribution).close()
            else:
                found[distribution] = reply.plugins  # type: ignore[union-attr]  # of a load
        return found

    def strategies(self, distribution: str, plugin: messages.Plugin) -> tuple[IsolatedStrategy, ...]:
        """The strategies that a plugin declared. Raises :class:`InvalidInput`."""
        supervisor = self._supervisors[distribution]
        return tuple(
            IsolatedStrategy(
                name=declared.name,
                version=declared.version,
                title=declared.title,
                api=declared.api,
                attributes=nouns.attributes(declared.attributes),
                supervisor=supervisor,
                takes_defaults=declared.takes_defaults,
            )
            for declared in plugin.strategies
        )

    def stats(self) -> tuple[HostStats, ...]:
        """The plugin host processes by distribution, with their numbers so far."""
        return tuple(supervisor.stats for _, supervisor in sorted(self._supervisors.items()))

    def close(self) -> None:
        """Ends the processes."""
        for supervisor in self._supervisors.values():
            supervisor.close()

    def _tell(self, distribution: str, reason: str) -> None:
        self.opened(distribution, reason)


def _decided(settings: bytes) -> _Decided:
    """Resolved settings of JSON. Raises :class:`ValueError`, :class:`RecursionError`."""
    found = msgspec.json.decode(settings, type=dict[str, Any])
    _check_depth(found, SETTINGS_DEPTH_MAX)
    return _Decided.model_validate(found)


def _check_depth(value: object, most: int) -> None:
    if most == 0:
        raise ValueError("nested too deeply")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        _check_depth(one, most - 1)


def normalized(distribution: str) -> str:
    """A distribution's name as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def released_with_server() -> frozenset[str]:
    """The server's own distribution and those that it names among its requirements, of any extra."""
    names = [_REQUIREMENT.match(line) for line in importlib.metadata.requires(SERVER) or ()]
    return frozenset({SERVER, *(normalized(name[0]) for name in names if name is not None)})
