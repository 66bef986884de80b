"""The hooks that a plugin can implement. Each is called once, when the server starts."""

from collections.abc import Iterable

from segserver.privacy.keys import KeyProvider
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


@hookspec
def segserver_key_providers() -> Iterable[KeyProvider]:  # type: ignore[empty-body]
    """Yields ways to keep the keyring elsewhere than in a file; the setting ``key_provider`` chooses one by
    its name.

    :func:`segserver.privacy.testing.check_key_provider` checks that one keeps its contract.

    Example::

        @hookimpl
        def segserver_key_providers():
            yield KeyProvider("vault", create=store_first, load=fetch, replace=store_again)
    """
