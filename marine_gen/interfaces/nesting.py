"""Nesting of records in each other. Arrays interrupt it: their elements are behind a pointer of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence


def record_depths(
    numbers: Iterable[int], inner: Callable[[int], Sequence[int]]
) -> tuple[dict[int, int], tuple[int, ...]]:
    """The depth of each record, 1 for one without records inside, in the order in which they become known.

    Args:
        numbers: all records.
        inner: the records that one record holds directly.

    Returns:
        The depths, and the records of a circle in order. Without a circle, which ends the search, that is empty.
    """
    depths: dict[int, int] = {}
    for start in numbers:
        pending = [start]
        path: dict[int, None] = {}  # the records that are being looked into, outermost first
        while pending:
            number = pending[-1]
            children = inner(number)
            if number in depths:
                pending.pop()
            elif number in path:
                del path[pending.pop()]
                depths[number] = 1 + max((depths[child] for child in children), default=0)
            else:
                path[number] = None
                closing = next((child for child in children if child in path), None)
                if closing is not None:
                    trail = list(path)
                    return depths, tuple(trail[trail.index(closing) :])
                pending += [child for child in children if child not in depths]
    return depths, ()
