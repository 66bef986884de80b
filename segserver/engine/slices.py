"""Long work on the event loop, in slices: between two of them others are admitted, refused and answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

SLICE = 64
"""So many parts of a request or a reply are worked on at a stretch; each takes microseconds."""
SLICE_SUBJECTS = 16
"""So many subjects of a batch are evaluated at a stretch: about two milliseconds. A refused call takes half a
dozen rounds of the event loop, each as long as the slices of the batches that are under way.
"""


async def sliced(items: Iterable[T]) -> AsyncIterator[T]:
    """The items; after each :data:`SLICE` of them, everything else that is ready gets its turn."""
    for number, item in enumerate(items, 1):
        yield item
        if number % SLICE == 0:
            await asyncio.sleep(0)
