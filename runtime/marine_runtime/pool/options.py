"""Options of a pool, checked before any worker starts."""

from __future__ import annotations

import os
import pickle
from typing import Any

from marine_runtime.errors import ArgumentError
from marine_runtime.pool.instance import Setup


def processors() -> int:
    """The number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def seconds(what: str, value: Any) -> float | None:
    """`value` as seconds, when it is a positive number; None stays None.

    Raises:
        ArgumentError: it is something else.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
        raise ArgumentError(f"{what} must be a positive number of seconds, got {value!r}")
    return float(value)


def pickled(setup: Setup) -> bytes:
    """The setup as bytes, for a worker process.

    Raises:
        ArgumentError: something in it can't be pickled.
    """
    try:
        return pickle.dumps(setup)
    except Exception as error:
        raise ArgumentError(
            f"source, host functions and options can't be sent to a worker process ({type(error).__name__}: {error}); "
            "give functions of a module, or a function that makes them"
        ) from None
