"""The artifact of a fit: what a strategy learned, of how many customers and when, sealed by a digest.

It is a part of the catalog, under ``fits: <strategy>:``, and reaches the strategy as its setting ``fit``, so
that it is in the catalog's digest like every other setting.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

FIT = "fit"
"""The setting that holds a strategy's fit."""

DIGEST = "digest"


def digest(fit: Mapping[str, Any]) -> str:
    """SHA-256, in hex, over canonical JSON of everything in the fit but its digest."""
    content = {key: value for key, value in fit.items() if key != DIGEST}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def sealed(fit: Mapping[str, Any]) -> dict[str, Any]:
    """The fit with its digest."""
    return {**fit, DIGEST: digest(fit)}


def is_sealed(fit: Mapping[str, Any]) -> bool:
    """Whether the fit is as it was made."""
    return fit.get(DIGEST) == digest(fit)
