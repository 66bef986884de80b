"""Computed attributes of one subject at one moment, and when they change next."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any

from segserver.events import windows
from segserver.events.definitions import SUBJECT_TIME_ZONE
from segserver.events.history import History
from segserver.events.measures import Measure, open_piece
from segserver.events.plans import Follow, Plan
from segserver.events.windows import BEGINNING, Window
from segserver.model import INT64_MAX

EMPTY = History()

_OF_THE_LAST = frozenset({"last", "time_since_last", "exists", "absent"})
"""The aggregates that stay as they are while the last event of the window does."""


class Moment:
    """One subject's histories at ``now``. Built for one evaluation; windows are resolved once.

    ``floors`` gives, for an event name, the time at or before which its events are expired.
    """

    def __init__(
        self, histories: Mapping[str, History], now: int, zone: str | None, floors: Mapping[str, int]
    ) -> None:
        self.now = now
        self._histories = histories
        self._zone = zone or None
        self._floors = floors
        self._bounds: dict[tuple[Window, str, str], tuple[int, int] | None] = {}

    def value(self, plan: Plan) -> Any:
        """The attribute's value in rule form, or ``None``."""
        values = []
        for window in plan.windows:
            bounds = self._window(window, plan)
            if bounds is None:
                return None
            values.append(self._over(plan, *bounds))
        return values[0] if len(values) == 1 else plan.compared(*values)

    def _over(self, plan: Plan, after: int, until: int) -> Any:
        event = plan.measure.event
        history = self._history(event)
        since = max(after, self._floor(event))
        if plan.follow is not None:
            return self._sequence(plan.measure, plan.follow, after, until)
        result = plan.measure.over(history, since, until)
        length = until - after
        if after == BEGINNING and plan.definition.aggregate == "rate":
            first = _first_after(history, self._floor(event))
            length = until - first + 1 if first is not None else 1
        return plan.value(result, length, self.now)

    def _history(self, event: str) -> History:
        return self._histories.get(event, EMPTY)

    def _floor(self, event: str) -> int:
        return self._floors.get(event, BEGINNING)

    def _window(self, window: Window, plan: Plan) -> tuple[int, int] | None:
        """The times (after, until] that it covers, or ``None`` when that can't be said."""
        zone = self._zone if plan.definition.time_zone == SUBJECT_TIME_ZONE else plan.definition.time_zone
        if window.kind == "calendar" and zone is None:
            return None
        key = (window, plan.measure.event if window.kind == "session" else "", zone or "")
        if key not in self._bounds:
            self._bounds[key] = self._resolved(window, plan.measure.event, zone or "")
        return self._bounds[key]

    def _resolved(self, window: Window, event: str, zone: str) -> tuple[int, int] | None:
        match window.kind:
            case "sliding":
                return self.now - window.before - window.length, self.now - window.before
            case "calendar":
                return windows.calendar(window.period, self.now, zone)
            case "since":
                last = _last_until(self._history(window.event), self._floor(window.event), self.now)
                return BEGINNING if last is None else last, self.now
            case "session":
                return self._session(event, window.length)
            case "all":
                return BEGINNING, self.now

    def _session(self, event: str, gap: int) -> tuple[int, int]:
        """From the first event of the current session on; nothing when there is none."""
        floor, later = self._floor(event), self.now
        first = self.now + 1
        for piece in reversed(self._history(event).between(floor, self.now)):
            whole = floor < piece.first_us and piece.last_us <= self.now
            if whole and piece.widest_us < gap and later - piece.last_us < gap:
                first = later = piece.first_us
                continue
            times = piece.chunk().times
            for index in range(bisect_right(times, self.now) - 1, bisect_right(times, floor) - 1, -1):
                if later - times[index] >= gap:
                    return first - 1, self.now
                first = later = times[index]
        return first - 1, self.now

    def _sequence(self, measure: Measure, follow: Follow, after: int, until: int) -> bool:
        """Looks from the latest events back, so that what happens often is found at once."""
        same = measure.event == follow.measure.event
        starts = self._backwards(measure, after, until)
        start = next(starts, None)
        for end in self._backwards(follow.measure, after, until):
            while start is not None and (start >= end if same else start[0] > end[0]):
                start = next(starts, None)
            if start is None:
                return False
            if end[0] - start[0] <= follow.within:
                return True
        return False

    def _backwards(self, measure: Measure, after: int, until: int) -> Iterator[tuple[int, int]]:
        """The times and numbers of the events that count, the latest first."""
        since = max(after, self._floor(measure.event))
        for piece in reversed(self._history(measure.event).between(since, until)):
            if measure.none_in(piece):
                continue
            opened = open_piece(piece)
            times, numbers, mask = opened.chunk.times, opened.chunk.numbers, measure.mask(opened)
            first, index = bisect_right(times, since), bisect_right(times, until)
            while (index := index - 1 if mask is None else mask.rfind(1, first, index)) >= first:
                yield times[index], numbers[index]

    def next_change(self, plan: Plan) -> int | None:
        """The earliest time after now at which the value can change without a new event, but for what
        changes at every moment."""
        measures = [plan.measure, *([plan.follow.measure] if plan.follow else [])]
        changes = [
            time
            for window in plan.windows
            for time in self._changes(window, plan, measures)
            if time is not None
        ]
        return min(changes, default=None)

    def _changes(self, window: Window, plan: Plan, measures: list[Measure]) -> Iterator[int | None]:
        bounds = self._window(window, plan)
        if bounds is None:
            return
        after, until = bounds
        for measure in measures:
            history, floor = self._history(measure.event), self._floor(measure.event)
            since = max(after, floor)
            oldest = measure.next_after(history, since)
            if oldest is None:
                continue
            leaving = oldest
            if plan.definition.aggregate in _OF_THE_LAST:
                leaving = measure.last_until(history, since, until) or oldest
            if floor > BEGINNING:
                yield leaving + self.now - floor
            if window.kind == "sliding":
                yield leaving + window.length + window.before
                yield _plus(measure.next_after(history, until), window.before)
            else:
                yield measure.next_after(history, self.now)
            if window.kind == "calendar":
                zone = (
                    self._zone
                    if plan.definition.time_zone == SUBJECT_TIME_ZONE
                    else plan.definition.time_zone
                )
                yield windows.turn(window.period, self.now, zone or "")
        if window.kind == "since":
            history, floor = self._history(window.event), self._floor(window.event)
            yield _first_after(history, self.now)
            if after > BEGINNING and floor > BEGINNING:
                yield after + self.now - floor
        if window.kind == "session" and after < self.now:
            last = _last_until(self._history(plan.measure.event), after, self.now)
            yield _plus(last, window.length)
            yield _first_after(self._history(plan.measure.event), self.now)


def _plus(time: int | None, duration: int) -> int | None:
    return None if time is None else time + duration


def _first_after(history: History, after: int) -> int | None:
    """The time of the first event later than ``after``."""
    for piece in history.between(after, INT64_MAX):
        if after < piece.first_us:
            return piece.first_us
        times = piece.chunk().times
        return times[bisect_right(times, after)]
    return None


def _last_until(history: History, after: int, until: int) -> int | None:
    """The time of the last event with ``after < time <= until``."""
    for piece in reversed(history.between(after, until)):
        if piece.last_us <= until:
            return piece.last_us
        times = piece.chunk().times
        index = bisect_right(times, until) - 1
        return times[index] if times[index] > after else None
    return None
