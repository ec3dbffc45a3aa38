"""Checks of JSON values that are otherwise dropped, such as those of repeated keys, of which the last one counts.

The text is checked all the same. Python's parser drops such values before anybody has looked at them, and a hook costs
a call per object, so it is there only for texts that have something to find.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

from marine_runtime.lazy.typing import Any

Pairs = list[tuple[str, Any]]

_SUSPECT = re.compile(r"\d[eE]\+?\d{3}|\d{300}|\\u[dD][89a-fA-F]")
_BRACKETS = "[{"


class DroppedValueError(Exception):
    """A value that was dropped is not allowed; the message says why."""


def dropping_hook(text: str, deepest: int) -> Callable[[Pairs], dict[str, Any]] | None:
    """The `object_pairs_hook` that checks dropped values; None when `text` can hold nothing that is wrong there.

    Args:
        text: the JSON text.
        deepest: the number of levels that arrays and objects may nest.
    """
    if "{" not in text:  # without an object there is no key to repeat
        return None
    if _SUSPECT.search(text) is None and sum(map(text.count, _BRACKETS)) <= deepest:
        return None

    def hook(pairs: Pairs) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            for key, value in pairs:
                if made[key] is not value:
                    _check(key, value, deepest)
        return made

    return hook


def _check(key: str, value: Any, deepest: int) -> None:
    if problem := problem_in(value, deepest):
        raise DroppedValueError(f"the key {key!a:.80} is repeated, and a value that it had before {problem}")


def problem_in(value: Any, deepest: int) -> str:
    """The fault of a value that is otherwise not checked, as the end of a sentence; empty when there is none."""
    for item, depth in _walk(value):
        if depth > deepest:
            return f"is nested more than {deepest} levels deep"
        if isinstance(item, (int, float)) and _is_out_of_range(item):
            return "has a number that is out of range"
        if isinstance(item, str) and not _is_text(item):
            return "has half of a surrogate pair, which is not a character"
    return ""


def _walk(value: Any) -> Iterator[tuple[Any, int]]:
    """Everything in a document, keys too, with its depth."""
    pending = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        yield item, depth
        if isinstance(item, dict):
            pending += [(child, depth + 1) for pair in item.items() for child in pair]
        elif isinstance(item, list):
            pending += [(child, depth + 1) for child in item]


def _is_out_of_range(number: float) -> bool:
    try:
        return not math.isfinite(float(number))
    except OverflowError:
        return True


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
