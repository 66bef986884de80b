"""The entries that the benchmarks of the audit log write."""

from __future__ import annotations

import datetime as dt

from segserver.audit import entry
from segserver.audit.entry import Entry, Kind, Outcomes

START = dt.datetime(2026, 7, 4, tzinfo=dt.UTC)
SEGMENTS = tuple(f"retail/segment-{number}" for number in range(20))
ATTRIBUTES = tuple(f"attribute_{number}" for number in range(12))


def make(number: int) -> Entry:
    """An evaluation of 20 segments; one in eight has something withheld."""
    cut = number % 16
    return Entry(
        time=entry.timestamp(START + dt.timedelta(milliseconds=number)),
        kind=Kind.EVALUATION,
        caller=f"service-{number % 12}",
        request_id=f"0197d2a4-0000-7000-8000-{number:012x}",
        purpose=("marketing", "personalization", "analytics")[number % 3],
        legal_basis="consent",
        subject=f"a1-{number * 2654435761 % 2_000_003:032x}",
        segments=Outcomes(member=SEGMENTS[:cut], not_member=SEGMENTS[cut:]),
        read=ATTRIBUTES,
        withheld={"CONSENT_MISSING": ("attribute_3",)} if number % 8 == 0 else {},
        consent="4711",
        catalog="sha256:" + "0123456789abcdef" * 4,
        inputs="f" * 32,
    )
