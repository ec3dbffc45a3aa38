"""Options of a pool and of its calls, checked before any worker starts and before any call waits."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from typing import Any, Literal

from marine_runtime.calls.limits import check_fuel
from marine_runtime.calls.options import CallOptions
from marine_runtime.config.checks import check_seconds
from marine_runtime.errors import ArgumentError
from marine_runtime.host.call_parameters import checked
from marine_runtime.host.resolve import host_functions
from marine_runtime.lazy.keywords import Keywords
from marine_runtime.pool.instance import HostFunctionsSource, Setup

MOST_WORKERS = 1024
"""Instances of a pool; each takes a thread, or a process."""

Kind = Literal["processes", "threads"]


class PoolOptions(Keywords, total=False):
    """Settings of a pool.

    Attributes:
        workers: the number of instances; one per processor by default.
        kind: `processes`, which is the default, or `threads` of this process.
        host_functions: as `load` takes them, or a function that makes them, called once per instance. Worker processes
            need ones that can be pickled; worker threads call them at the same time.
        timeout: seconds that a call may run, unless the call says otherwise; waiting in the queue does not count.
        queue: the number of calls that may wait for a worker; 1024 by default.
        options: further keyword arguments for `load` or for the function that makes a service.
        replace_poisoned: load an instance again after a trap, a limit that was reached, or a Python exception in a host
            function; true by default.
        start_timeout: seconds that loading an instance may take; 60 by default.
        name: the name of the pool in messages and of its threads.
    """

    workers: int | None
    kind: Kind
    host_functions: HostFunctionsSource | None
    timeout: float | None
    queue: int
    options: Mapping[str, Any] | None
    replace_poisoned: bool
    start_timeout: float
    name: str


def call_options(given: CallOptions, timeout: float | None) -> CallOptions:
    """The options of a call, checked before it waits; `timeout` is the pool's.

    Raises:
        ArgumentError: a limit is out of range, or the call parameters are none.
    """
    made = CallOptions()
    timeout = seconds("timeout", given["timeout"]) if given.get("timeout") is not None else timeout
    if timeout is not None:
        made["timeout"] = timeout
    if (fuel := given.get("fuel")) is not None:
        made["fuel"] = check_fuel(fuel)
    if (parameters := given.get("call_parameters")) is not None:
        checked(parameters)
        made["call_parameters"] = parameters
    return made


def limited(options: CallOptions) -> bool:
    """True if each call has its own limit, so that several can't be run as one batch."""
    return "timeout" in options or "fuel" in options


def number(what: str, value: Any, most: int = 1 << 30) -> int:
    """`value` as a number of things.

    Raises:
        ArgumentError: it is none, less than 1, or more than `most`.
    """
    if type(value) is not int or not 1 <= value <= most:
        wanted = "an integer of at least 1" if type(value) is not int or value < 1 else f"an integer from 1 to {most}"
        raise ArgumentError(f"{what} must be {wanted}, not {value!r:.80}")
    return value


def pool_name(value: Any) -> str:
    """`value` as the name of a pool.

    Raises:
        ArgumentError: it is not a string.
    """
    if not isinstance(value, str):
        raise ArgumentError(f"the name of a pool must be a string, not {type(value).__name__}")
    return value


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
    try:
        return check_seconds(value, what)
    except ArgumentError:
        raise ArgumentError(f"{what} must be a positive number of seconds, not {value!r:.80}") from None


def functions_source(value: Any) -> HostFunctionsSource | None:
    """`value` as host functions of a pool; those that a function makes are checked when an instance is loaded.

    Raises:
        ArgumentError: it is something else, or as `load`.
    """
    if value is not None and not callable(value):
        host_functions(value)
    source: HostFunctionsSource | None = value
    return source


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
