"""What each strict built-in function does to values in rule form; ``None`` is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from segserver.rules import times

SCALARS: dict[str, Callable[..., Any]] = {
    "string_to_timestamp": times.parse_timestamp,
    "string_to_duration": times.parse_duration,
}
