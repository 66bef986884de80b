"""The hooks that a plugin can implement. Each is called once, when the server starts."""

from collections.abc import Iterable

from segserver.strategies import hookspec
from segserver.strategies.api import Function, Strategy


@hookspec
def segserver_strategies() -> Iterable[Strategy]:  # type: ignore[empty-body]
    """Yields the strategies of this plugin.

    Example::

        @hookimpl
        def segserver_strategies():
            yield Strategy(
                name="loyalty",
                version="1.0.0",
                attributes=[Attribute("points", "int", category="behavioral")],
                traits=[Trait("gold", "bool", rule="points > 1000")],
            )
    """


@hookspec
def segserver_functions() -> Iterable[Function]:  # type: ignore[empty-body]
    """Yields functions that rules can call, beyond CEL's own and the server's.

    Example::

        @hookimpl
        def segserver_functions():
            yield Function("luhn_valid(string) -> bool", luhn_valid)
    """
