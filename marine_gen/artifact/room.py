"""Room on Python's stack: compiling types that nest deeply takes more than a caller may have left."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

_T = TypeVar("_T")


def with_room(work: Callable[[], _T]) -> _T:
    """Run `work`; where the stack has too little room left, run it again in a thread, which has all of it.

    It must be something that can be done again, and that belongs to no thread.

    Raises:
        RecursionError: it needs more than Python's recursion limit (`sys.setrecursionlimit`) allows.
    """
    try:
        return work()
    except RecursionError:
        pass
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = Thread(target=run, name="marine-gen compiler", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
