"""What the engine answers with."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence

import msgspec

from segserver.errors import SegserverError
from segserver.model import Outcome


class SegmentResult(msgspec.Struct, frozen=True, eq=False):
    """The outcome for one segment, with what stood in the way of settling it.

    Results repeat from subject to subject, so they are made once and shared; each is equal to itself only,
    which makes it a cheap key for what is derived from it.

    ``missing`` names attributes without a value; ``withheld`` pairs an attribute with its reason code;
    ``reason`` is one of the codes below where data alone do not explain an UNKNOWN, or, for a WITHHELD, why
    the subject may not be evaluated at all for the purpose.
    """

    segment: str
    outcome: Outcome
    missing: tuple[str, ...] = ()
    withheld: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    failed_traits: tuple[str, ...] = ()
    human_review: bool = False
    """The segment has a legal or similarly significant effect, and there is no explicit consent (GDPR art.
    22).
    """


class Evaluation(msgspec.Struct, frozen=True, eq=False):
    """The answer for one subject. ``time_us`` is microseconds since the epoch, UTC."""

    evaluation_id: str
    time_us: int
    catalog_digest: str
    subject_token: str
    results: Sequence[SegmentResult]


BatchAnswer = Evaluation | SegserverError
"""One subject's part of a batch: the answer, or why there is none."""

ERROR = "ERROR"
"""The rule fails on this subject's values: a division by zero, a number beyond 64 bits."""
STRATEGY_FAILED = "STRATEGY_FAILED"
"""The code of a strategy failed."""
UNDETERMINED = "UNDETERMINED"
"""The code of a strategy finds no value for these inputs, or the rule fails on them."""


_RANDOM = random.Random()  # noqa: S311  an id must be unique, not secret
os.register_at_fork(after_in_child=_RANDOM.seed)


def new_evaluation_id(time_us: int) -> str:
    """A UUID of version 7 (RFC 9562, section 5.7): ordered by time, 74 random bits."""
    bits = _RANDOM.getrandbits(74)
    version, variant = 0x7 << 76, 0x2 << 62
    high, low = bits >> 62 << 64, bits & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{(time_us // 1000 & 0xFFFF_FFFF_FFFF) << 80 | version | high | variant | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
