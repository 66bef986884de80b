"""The plugin host process: loads the plugins of one distribution, and answers one request after the other.

Run as ``python -I -m segserver.strategies.isolation.child DESCRIPTOR``, with an empty environment and a
socket as the only inherited descriptor. It ends when the server closes the socket. Walls go up first:
whatever is imported before them must start no thread.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from segserver.strategies.isolation import messages, walls

if TYPE_CHECKING:
    from segserver.rules.program import Coded
    from segserver.strategies.contract import ResolvedStrategy
    from segserver.strategies.host import Host
    from segserver.strategies.manager import Installed

_SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache")
"""Where the system keeps libraries and time zones."""

_KEPT_MAX = 256
"""So many resolved strategies and traits are kept; a server has a few of each."""


def main(descriptor: int) -> None:
    """Serves until the server closes the socket."""
    with socket.socket(fileno=descriptor) as server:
        server.set_inheritable(False)
        number, payload = _receive(server)
        setup = messages.request(payload)
        if not isinstance(setup, messages.Setup):
            raise TypeError
        plugins, walled = _start(setup)
        _send(server, number, messages.Loaded(walled, plugins.declared(setup)))
        while True:
            number, payload = _receive(server)
            _send(server, number, plugins.answer(messages.request(payload)))


def _start(setup: messages.Setup) -> tuple[Plugins, list[str]]:
    sys.path += setup.path
    os.environ["POLARS_MAX_THREADS"] = "1"
    walls.limit(setup.memory_bytes_max, setup.cpu_s_max)
    walled = walls.enclose(_readable(setup))
    if "seccomp" not in walled:
        import polars as pl

        pl.DataFrame({"n": [2, 1]}).lazy().sort("n").collect()  # its thread starts while it still can
        walls.limit_processes()
    from importlib.metadata import EntryPoint

    from segserver.strategies.manager import load

    return Plugins(load([EntryPoint(name, value, "segserver") for name, value in setup.points])), walled


def _readable(setup: messages.Setup) -> Iterator[str]:
    """Where modules and libraries are: installed ones, and those that an editable installation points to.

    A folder that holds data of the server's is none of them, whatever it holds besides."""
    tops = {"segserver"} | {value.partition(":")[0].partition(".")[0] for _, value in setup.points}
    found = [*_SYSTEM, sys.prefix, sys.base_prefix, *sys.path]
    for top in sorted(tops):
        with contextlib.suppress(ImportError, ValueError):
            spec = importlib.util.find_spec(top)
            if spec is not None:
                found += [*(spec.submodule_search_locations or ()), spec.origin or ""]
    secret = [os.path.realpath(path) for path in setup.keep_out]
    for path in found:
        real = os.path.realpath(path)
        if path and not any(os.path.commonpath([real, one]) == real for one in secret):
            yield real


class Plugins:
    """The plugins of the distribution, and their code as it was asked for."""

    def __init__(self, installed: Installed) -> None:
        self._installed = installed
        self._resolved: dict[tuple[str, bytes], ResolvedStrategy] = {}
        self._coded: dict[messages.Code, tuple[Host, Coded]] = {}

    def declared(self, setup: messages.Setup) -> list[messages.Plugin]:
        """What each entry point brought, in order."""
        return [self._plugin(name) for name, _ in setup.points]

    def _plugin(self, name: str) -> messages.Plugin:
        from segserver.strategies.contract import takes_defaults
        from segserver.strategies.isolation.nouns import plain

        installed = self._installed
        problems = [q.reason for q in installed.quarantined if q.origin.plugin == name]
        if problems:
            return messages.Plugin(name, problem="; ".join(problems))
        try:
            return messages.Plugin(
                name,
                strategies=[
                    messages.Declared(
                        s.name,
                        s.strategy.version,
                        s.strategy.title,
                        s.strategy.api,
                        plain(s.strategy.attributes),
                        takes_defaults(s.strategy),
                        s.strategy.fit is not None,
                    )
                    for s in installed.strategies
                    if s.origin.plugin == name
                ],
                functions=[f.name for f in installed.functions if f.origin.plugin == name],
                key_providers=[p.name for p in installed.key_providers],
            )
        except TypeError as error:
            return messages.Plugin(name, problem=f"TypeError: {error}")

    def answer(self, request: messages.Request) -> messages.Reply:
        """The reply to a request after the first."""
        match request:
            case messages.Resolve():
                return self._resolve(request)
            case messages.Warm():
                for code in request.codes:
                    host, coded = self._code(code)
                    host.warm_up([coded.name])
                return messages.Warmed()
            case messages.Call():
                return messages.Answered([self._answers(asked) for asked in request.asked])
        raise TypeError

    def _resolve(self, request: messages.Resolve) -> messages.Resolved | messages.Refused:
        from segserver.errors import InvalidInput
        from segserver.strategies.isolation import nouns

        try:
            found = self._strategy(request.strategy, request.settings)
            return messages.Resolved(
                msgspec.json.encode(found.settings.model_dump(mode="json")),
                nouns.plain(found.events),
                nouns.plain(found.computed),
                nouns.plain_traits(found.traits),
                nouns.plain(found.segments),
            )
        except InvalidInput as error:
            return messages.Refused([(v.field, v.description) for v in error.violations])
        except TypeError as error:
            return messages.Refused([("", f"TypeError: {error}")])

    def _strategy(self, name: str, settings: bytes) -> ResolvedStrategy:
        key = name, settings
        if key not in self._resolved:
            from segserver.strategies.contract import resolve

            installed = self._installed.strategy(name)
            if installed is None:
                raise LookupError(name)
            if len(self._resolved) >= _KEPT_MAX:
                self._resolved.clear()
            self._resolved[key] = resolve(installed.strategy, msgspec.json.decode(settings))
        return self._resolved[key]

    def _code(self, code: messages.Code) -> tuple[Host, Coded]:
        """The code of a trait, as the server would run it itself."""
        if code not in self._coded:
            from segserver.strategies.host import Host

            resolved = self._strategy(code.strategy, code.settings)
            trait = next(trait for trait in resolved.traits if trait.name == code.trait)
            host = Host()
            if len(self._coded) >= _KEPT_MAX:
                self._coded.clear()
            types: Any = dict(zip(trait.reads, code.types, strict=True))
            self._coded[code] = host, host.coded(trait.name, trait, types)
        return self._coded[code]

    def _answers(self, asked: messages.Asked) -> messages.Answers:
        host, coded = self._code(asked.code)
        answers = messages.Answers([], {})
        lists = [place for place, type_name in enumerate(asked.code.types) if type_name == "list(string)"]
        size = 0
        for position, row in enumerate(asked.rows):
            value, failed = _run(host, coded, _arguments(row, lists))
            size += len(messages.row((value,)))
            if size > messages.MESSAGE_BYTES_MAX - messages.ANSWER_BYTES_SPARE:
                value, failed = None, OverflowError.__name__
            answers.values.append(value)
            if failed:
                answers.failed[position] = failed
        return answers


def _run(host: Host, coded: Coded, arguments: Sequence[Any]) -> tuple[Any, str]:
    """The value, and the type of the exception where there is none because the code failed."""
    from segserver.strategies.returned import StrategyFailedError

    try:
        return coded.scalar(*arguments), ""
    except StrategyFailedError:
        return None, host.failures[coded.name].last


def _arguments(row: msgspec.Raw, lists: Sequence[int]) -> list[Any]:
    arguments: list[Any] = msgspec.msgpack.decode(row)
    for place in lists:
        arguments[place] = tuple(arguments[place])
    return arguments


def _receive(server: socket.socket) -> tuple[int, bytes]:
    length, number = messages.HEADER.unpack(_exactly(server, messages.HEADER.size))
    return number, _exactly(server, length)


def _exactly(server: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = server.recv(length - len(data))
        if not piece:
            raise SystemExit(0)  # the server has ended, or wants this to end
        data += piece
    return bytes(data)


def _send(server: socket.socket, number: int, message: messages.Reply) -> None:
    payload = messages.encode(message)
    server.sendall(messages.HEADER.pack(len(payload), number) + payload)


if __name__ == "__main__":
    main(int(sys.argv[1]))
