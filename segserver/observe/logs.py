"""The log: one JSON object a line on stderr, with the worker's number where there are several."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any

import structlog


def configure(worker: int = 0) -> None:
    """Makes every logger of this process write so. ``worker`` 0 is a process that serves by itself."""

    def add_worker(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if worker:
            event["worker"] = worker
        return event

    structlog.configure(
        processors=[
            add_worker,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),  # a line in one write: workers share stderr
    )
