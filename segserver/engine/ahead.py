"""When time alone may change what a subject is in, so that nobody is evaluated for nothing, or too late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from segserver.engine.memberships import KEEPER
from segserver.engine.serving import Serving
from segserver.events.history import History
from segserver.privacy.gate import Mask
from segserver.privacy.reasons import Reason
from segserver.privacy.subject import RuleValue
from segserver.privacy.vault import Subject

DAY_US = 86_400_000_000
SECOND_US = 1_000_000

LOOK_AHEAD_DAYS = 28
"""So far ahead, a day at a time, is a subject evaluated whose answers hang on ``now``; then it is looked at
again in any case. An answer that changes and changes back within a day may be missed."""


class Ahead:
    """One subject and one purpose at moments to come, if nothing happens until then."""

    def __init__(
        self,
        serving: Serving,
        purpose: str,
        subject: Subject,
        histories: Mapping[str, History],
        derived: Sequence[Any],
        listed: Mapping[str, bool],
        ends: Sequence[int],
    ) -> None:
        self._listed = listed
        self._ends = ends
        self._serving = serving
        self._purpose = purpose
        self._subject = subject
        self._histories = histories
        self._derived = derived
        self._plan = serving.plan(purpose)

    def at(self, at_us: int) -> object:
        """What decides memberships at a moment: the segments, or why the purpose is stopped."""
        plan = self._plan
        current, mask = self._seen(at_us)
        if mask.stopped is not None:
            return mask.stopped
        values, withheld = mask.apply(current, plan.program.inputs)
        needs = plan.needs
        names = needs.visible(mask, None)
        if names:
            computed = needs.program.evaluate(
                names,
                self._histories,
                at_us,
                zone=needs.zone(current, mask),
                floors=needs.floors(at_us),
            )
            for name, value in computed.items():
                values[plan.input_index[name]] = value
        for name in needs.visible_lists(mask, None):
            values[plan.input_index[name]] = self._listed.get(name)
        plan.drop_mistyped(values)
        outcomes = plan.program.python(
            [*values, *self._derived], at_us, self._subject.subject_key.hex(), withheld, []
        )
        return frozenset(number for number, outcome in enumerate(outcomes) if outcome is True)

    def due(self, now_us: int) -> int | None:
        """From when on the subject is to be evaluated again; ``None``: never, for time's sake."""
        known = min((moment for moment in self._known(now_us) if moment > now_us), default=None)
        if not self._hangs_on_now(now_us):
            return known
        now, before = self.at(now_us), now_us
        for day in range(1, LOOK_AHEAD_DAYS + 1):
            moment = now_us + day * DAY_US
            if known is not None and moment >= known:
                return known
            if self.at(moment) != now:
                return self._first_change(now, before, moment)
            before = moment
        return before

    def _known(self, now_us: int) -> Iterator[int]:
        """Moments that are known in advance: events leave windows, values and consents expire."""
        gate, subject = self._serving.gate, self._subject
        needs = self._plan.needs
        current, mask = self._seen(now_us)
        change = needs.program.next_change(
            needs.visible(mask, None),
            self._histories,
            now_us,
            zone=needs.zone(current, mask),
            floors=needs.floors(now_us),
        )
        if change is not None:
            yield change
        yield from self._ends
        decision = subject.state.consents.get(self._purpose)
        if decision is not None and decision.expires_us is not None:
            yield decision.expires_us
        for name in current:
            expires = gate.expires_us(subject.profile, name)
            if expires != float("inf"):
                yield int(expires)

    def _hangs_on_now(self, now_us: int) -> bool:
        """Whether the answer may change at a moment that nothing tells in advance; a child grows up."""
        _, mask = self._seen(now_us)
        if mask.stopped is not None:
            return mask.stopped is Reason.CHILD
        needs = self._plan.needs
        return self._plan.program.reads_now or bool(needs.program.continuous(needs.visible(mask, None)))

    def _seen(self, at_us: int) -> tuple[Mapping[str, RuleValue], Mask]:
        """The values of a moment, and what of them the purpose may see then."""
        gate, subject = self._serving.gate, self._subject
        current = gate.current(subject.profile, at_us)
        return current, gate.mask(self._purpose, subject.state, KEEPER, at_us, current)

    def _first_change(self, now: object, same_us: int, other_us: int) -> int:
        """When, between two moments, the answer of the first ends: to a second, and not before."""
        while other_us - same_us > SECOND_US:
            middle = (same_us + other_us) // 2
            if self.at(middle) == now:
                same_us = middle
            else:
                other_us = middle
        return other_us
