"""The smallest change that would turn a rule's outcome over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TypeAlias

from segserver.rules.trace import Trace

TRIALS_MAX = 4096
"""How many truths of repeated conditions are tried: enough for 12 that are known, or 7 that are unknown."""

_LOGIC = frozenset({"_&&_", "_||_", "!_", "_?_:_"})
_Truths: TypeAlias = Mapping[str, bool | None]
_Change: TypeAlias = dict[str, bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that would have to change: its CEL text, its place, its truth now, and the truth it would
    need.
    """

    text: str
    line: int
    column: int
    now: bool | None
    wanted: bool


def smallest_change(root: Trace) -> tuple[Condition, ...]:
    """The fewest conditions that, changed together, turn a true rule false, or a false or unknown one true.

    A condition is a bool node without ``&& || ! ?:`` at its top. Conditions of equal text count once, and
    change together. Different ones are taken as independent: ``age < 18`` and ``age > 65`` may both be wanted
    true. Empty when no change can do it (``x || !x``), and for a rule that isn't bool.

    Exact while few conditions occur more than once (:data:`TRIALS_MAX`); beyond that the answer is
    sufficient, but maybe not the smallest, or empty when the first choice of each operator contradicts
    itself.
    """
    if root.type != "bool":
        return ()
    places = {condition.text: condition for condition in _conditions(root)}
    counts = Counter(condition.text for condition in _conditions(root))
    now = {text: condition.value for text, condition in places.items()}
    wanted = root.value is not True
    repeated = [text for text, count in counts.items() if count > 1]
    options = [
        [now[text], *(truth for truth in (True, False) if truth is not now[text])] for text in repeated
    ]
    if prod(len(choices) for choices in options) > TRIALS_MAX:
        repeated, options = [], []
    best: _Change | None = None
    for truths in product(*options):
        fixed = dict(zip(repeated, truths, strict=True))
        rest = _need(root, now, fixed, wanted)
        if rest is not None:
            change = {
                text: truth for text, truth in fixed.items() if truth is not None and truth is not now[text]
            }
            change |= rest
            if best is None or len(change) < len(best):
                best = change
    found = best or {}
    ordered = sorted(found, key=lambda text: (places[text].line, places[text].column))
    return tuple(
        Condition(text, places[text].line, places[text].column, now[text], found[text]) for text in ordered
    )


def _conditions(node: Trace) -> Iterator[Trace]:
    if node.function in _LOGIC and node.type == "bool":
        for part in node.parts:
            yield from _conditions(part)
    else:
        yield node


def _need(node: Trace, now: _Truths, fixed: _Truths, wanted: bool) -> _Change | None:
    """The fewest changes, besides those fixed, that make the node as wanted; ``None`` when none can.

    Exact when no condition occurs twice but the fixed ones: then the parts of an operator don't touch each
    other.
    """
    if node.function not in _LOGIC:
        if node.text in fixed:
            return {} if fixed[node.text] is wanted else None
        return {} if now[node.text] is wanted else {node.text: wanted}
    if node.function == "!_":
        return _need(node.parts[0], now, fixed, not wanted)
    if node.function == "_?_:_":
        test, yes, no = node.parts
        return _fewest(
            _together(_need(test, now, fixed, True), _need(yes, now, fixed, wanted)),
            _together(_need(test, now, fixed, False), _need(no, now, fixed, wanted)),
        )
    below = [_need(part, now, fixed, wanted) for part in node.parts]
    return _together(*below) if (node.function == "_&&_") == wanted else _fewest(*below)


def _together(*changes: _Change | None) -> _Change | None:
    merged: _Change = {}
    for change in changes:
        if change is None or any(merged.get(text, truth) is not truth for text, truth in change.items()):
            return None
        merged.update(change)
    return merged


def _fewest(*changes: _Change | None) -> _Change | None:
    return min((change for change in changes if change is not None), key=len, default=None)
