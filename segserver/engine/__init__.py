"""The use cases, wired together in one place: :func:`build` makes an :class:`Engine` from a configuration."""

from segserver.engine.build import Engine, build

__all__ = ["Engine", "build"]
