"""Numbers about segments, as they may leave: above the minimum audience, and rounded so that one person does
not show.
"""

from __future__ import annotations

import hmac

ROUNDING = 10
"""Released numbers are multiples of this."""


class Release:
    """Decides whether and how a count leaves.

    A fixed grid can be met exactly: who pads a segment up to the edge of a step sees one person more step
    over it. So the edges are shifted, by a number that follows from who the members are and from a key: one
    person more is another set, with other edges. The same set always has the same number, so that asking
    again tells nothing new. Many sets that differ in what does not matter still have an average: each
    question is in the audit log, which is where that shows."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def released(self, count: int, minimum: int, members: bytes) -> int | None:
        """The count, rounded up or down to a multiple of ten, up the more likely the nearer; ``None`` below
        the minimum audience, and for some counts less than ten above it.

        ``members`` names the set: equal sets have equal bytes. Zero is below the minimum too: that nobody is
        in a segment tells of everybody."""
        digest = hmac.digest(self._key, members, "sha256")
        step, edge = digest[0] % ROUNDING, digest[1] % ROUNDING
        if count < minimum + edge:
            return None
        return (count + step) // ROUNDING * ROUNDING
