"""The plugins of an installation, loaded as its settings trust them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import structlog

from segserver.audit.entry import Entry, Kind, encode, timestamp_us
from segserver.config import Config
from segserver.errors import SegserverError
from segserver.storage.writer import Writer
from segserver.strategies.isolation.isolation import Isolation
from segserver.strategies.isolation.supervisor import Rules
from segserver.strategies.manager import Installed, load

log = structlog.get_logger("segserver.engine")


def load_plugins(config: Config) -> Installed:
    """Every plugin; what is not trusted is loaded in its plugin host process. Close it in the end.

    Raises :class:`FailedPrecondition` where the settings are strict and a plugin can't be used."""
    settings = config.isolation
    isolation = Isolation(
        trusted=config.trusted_plugins,
        path=() if config.plugins_dir is None else (config.plugins_dir,),
        keep_out=(config.data_dir,),
        rules=Rules(settings.call_s_max, settings.start_s_max, settings.failures_max, settings.pause_s_max),
        memory_bytes_max=settings.memory_bytes_max,
        cpu_s_max=settings.cpu_s_max,
    )
    return load(strict=config.strict, isolation=isolation)


def record_breakers(installed: Installed, writer: Writer, now_us: Callable[[], int]) -> None:
    """From now on, leaves an entry whenever a plugin host process is left alone because it failed too
    often."""

    def opened(distribution: str, reason: str) -> None:
        log.warning("plugin host process failed too often", distribution=distribution, reason=reason)
        entry = Entry(
            time=timestamp_us(now_us()),
            kind=Kind.STRATEGY_QUARANTINED,
            details={"plugin": distribution, "why": f"its plugin host process {reason}, too often"},
        )
        with suppress(SegserverError):  # without its log the server answers nobody, and says so elsewhere
            writer.write_blocking(None, (encode(entry),))

    if installed.isolation is not None:
        installed.isolation.opened = opened
