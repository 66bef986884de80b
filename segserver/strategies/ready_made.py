"""Ready-made segments as most strategies offer them: one for a condition, or one for each value of a trait.

Example::

    READY_MADE = ReadyMade("loyalty", owner="loyalty-team")

    def segments(settings: LoyaltySettings) -> list[Segment]:
        return [
            READY_MADE.one("veterans", "With us for long", "loyalty.veteran"),
            *READY_MADE.each("tier", "tier", titled("Tier: {}", labels_of(settings.tiers))),
        ]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from segserver.strategies.api import Segment
from segserver.strategies.cel import literal


@dataclass(frozen=True, slots=True)
class ReadyMade:
    """Makes the segments of one strategy, which share its name, their owner and their first tag."""

    strategy: str
    owner: str

    def one(self, name: str, title: str, rule: str, *, tag: str = "") -> Segment:
        """The segment ``strategy/name`` of those for whom ``rule`` holds."""
        tags = (self.strategy, tag) if tag else (self.strategy,)
        return Segment(f"{self.strategy}/{name}", rule=rule, title=title, owner=self.owner, tags=tags)

    def each(self, prefix: str, trait: str, titles: Mapping[str, str]) -> list[Segment]:
        """One exclusive group: ``strategy/prefix-value`` for each value of a trait that ``titles`` names, the
        value in lower case; what comes first in it wins."""
        return [
            Segment(
                f"{self.strategy}/{prefix}-{value.lower()}",
                rule=f"{self.strategy}.{trait} == {literal(value)}",
                title=title,
                owner=self.owner,
                tags=(self.strategy, prefix),
                exclusive_group=f"{self.strategy}-{prefix}",
                priority=position,
            )
            for position, (value, title) in enumerate(titles.items(), start=1)
        ]


def titled(template: str, labels: Iterable[str]) -> dict[str, str]:
    """A title for each label, put into ``template`` in words; a label of numbers, like ``18-24``, stays."""
    return {
        label: template.format(label if label[0].isdigit() else label.replace("-", " ")) for label in labels
    }
