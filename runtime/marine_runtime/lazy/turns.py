"""The lock under which threads make what they share."""

from __future__ import annotations

import weakref
from _thread import RLock

from marine_runtime.lazy.forks import begin_in_child

_all: weakref.WeakSet[Turns] = weakref.WeakSet()


class Turns:
    """A lock that is free in a forked process, whichever thread held it in the parent: that thread is not there.

    Attributes:
        lock: for `with` statements, each of which asks for it. The thread that holds it may take it again.
    """

    __slots__ = ("__weakref__", "lock")

    def __init__(self) -> None:
        self.lock = RLock()
        _all.add(self)


def _free_in_child() -> None:
    for turns in _all:
        turns.lock = RLock()


begin_in_child(_free_in_child)
