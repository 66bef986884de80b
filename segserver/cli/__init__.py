"""The command line. Each module of this package without a leading underscore is one command or group.

Such a module exposes it as ``command``, named like the module with ``-`` for ``_``. The main group finds
modules by their names and imports one when it is needed, so a module imports what is heavy inside its
command.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import click

from segserver.cli._failure import EXIT_CODES, told


class _Commands(click.Group):
    """The group whose commands are this package's modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """The names of the commands, in alphabetical order."""
        names = (module.name for module in pkgutil.iter_modules(__path__))
        return sorted(name.replace("_", "-") for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or ``None``."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command; the error for a mistyped one has near names."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(
                error.command_name, possibilities=self.list_commands(ctx), ctx=ctx
            ) from None

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Reads the arguments before the command's name."""
        with told():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; an error becomes one message and an exit code."""
        with told():
            return super().invoke(ctx)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="segserver")
def main() -> None:
    """Which segments is this customer in, for this purpose, and why?

    \b
    Begin with:
      segserver demo --once

    Commands that speak to a server take --address (or SEGSERVER_ADDRESS). The API key comes from
    --api-key-file, from SEGSERVER_API_KEY or, on this machine, from the development key in --data-dir.
    """
