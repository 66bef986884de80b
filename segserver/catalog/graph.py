"""What depends on what: an order in which everything comes after what it reads, and the cycles that have
none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

Reads = Mapping[str, Iterable[str]]
"""Name → the names that it reads. A name that is read and is no key is a given."""


def order(reads: Reads) -> tuple[list[str], list[list[str]]]:
    """The names in dependency order, and the cycles, each as a path that ends where it began.

    Every cycle met is reported once; what lies on one, or depends on one, is not in the order. Both results
    are the same for the same graph, whatever the order of its keys. Linear in names and reads.
    """
    ordered: list[str] = []
    cycles: list[list[str]] = []
    state: dict[str, bool] = {}  # False while on the path, True when done
    lost: set[str] = set()
    for start in sorted(reads):
        if start in state:
            continue
        path = [start]
        state[start] = False
        pending = [iter(sorted(reads[start]))]
        while path:
            name = path[-1]
            for below in pending[-1]:
                if below not in reads:
                    continue
                if below not in state:
                    state[below] = False
                    path.append(below)
                    pending.append(iter(sorted(reads[below])))
                    break
                if not state[below]:
                    cycles.append([*path[path.index(below) :], below])
                    lost.update(cycles[-1])
                elif below in lost:
                    lost.add(name)
            else:
                state[name] = True
                if name in lost:
                    if len(path) > 1:
                        lost.add(path[-2])
                else:
                    ordered.append(name)
                path.pop()
                pending.pop()
    return ordered, cycles


def path(reads: Reads, start: str, found: Callable[[str], bool]) -> list[str]:
    """The shortest way from ``start`` down to a name for which ``found`` holds; empty when there is none."""
    came: dict[str, str] = {start: ""}
    level = [start]
    while level:
        following = []
        for name in level:
            if found(name):
                way = [name]
                while came[way[-1]]:
                    way.append(came[way[-1]])
                return way[::-1]
            for below in sorted(reads.get(name, ())):
                if below not in came:
                    came[below] = name
                    following.append(below)
        level = following
    return []


def closure(reads: Reads, starts: Iterable[str]) -> set[str]:
    """The names, and everything that they depend on."""
    seen = set(starts)
    pending = list(seen)
    while pending:
        for below in reads.get(pending.pop(), ()):
            if below not in seen:
                seen.add(below)
                pending.append(below)
    return seen
