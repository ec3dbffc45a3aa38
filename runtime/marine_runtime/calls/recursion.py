"""A limit on how deep guests call each other through Python.

Wasmtime stops a guest that recurses in Wasm. One whose calls go through Python runs into Python's own limit first, and
where that is met while a callback is entered, ctypes returns whatever lies on the stack: the process would crash. So
recursion is stopped before that, with the error of an exhausted call stack.
"""

from __future__ import annotations

from marine_runtime.errors import TrapError

_FREE = 4  # check: linking calls inside each other: first look
"""Calls inside each other that are not looked at; services with longer ways through Python are rare."""

_ROOM = 240
"""Levels of Python's recursion that have to be left."""

_LEVELS = 40
"""Levels that one call takes at most, on the engine and the call layer that take the most."""


class RecursionLimit:
    """The calls of one service that run inside each other.

    Attributes:
        depth: their number.
        checked: the depth from which on somebody has to `check`.
    """

    __slots__ = ("checked", "depth")

    def __init__(self) -> None:
        self.depth = 0
        self.checked = _FREE

    def begin(self) -> int:
        """Count a call from a guest into Python; returns the depth, which becomes one less when the call ends.

        Raises:
            TrapError: there is too little room left.
        """
        self.depth = depth = self.depth + 1
        if depth == 1:
            self.checked = _FREE  # check: linking calls inside each other: looked at in the next call
        elif depth >= self.checked:
            if not _descend(_ROOM):  # check: linking room for calls inside each other
                self.depth -= 1  # check: linking a call that is refused has not begun
                raise TrapError("wasm trap: call stack exhausted")
            self.checked = depth + _ROOM // _LEVELS - 1  # check: linking calls inside each other: next look
        return depth


def _descend(levels: int) -> bool:
    """True if Python can recurse so far."""
    try:
        return levels == 0 or _descend(levels - 1)
    except RecursionError:
        return False  # check: linking the end of Python's recursion
