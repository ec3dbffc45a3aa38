"""The lock under which threads make what they share."""

from __future__ import annotations

import weakref
from _thread import RLock

from marine_runtime.lazy.forks import begin_in_child, notice

_all: weakref.WeakSet[Turns] = weakref.WeakSet()


class Turns:
    """A lock that is free in a forked process, whichever thread held it in the parent: that thread is not there."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = RLock()
        _all.add(self)

    @property
    def lock(self) -> RLock:
        """The lock, for one `with` statement. The thread that holds it may take it again."""
        notice()
        return self._lock


def _free_in_child() -> None:
    for turns in list(_all):
        turns._lock = RLock()


begin_in_child(_free_in_child)
