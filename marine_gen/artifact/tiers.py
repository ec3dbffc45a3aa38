"""First loads, which do only what they need, and the processes that make complete builds for the cache.

Optimised code of some megabytes takes seconds. A first load of that runs code that is made sooner, by the baseline
compiler. A first load of anything else makes optimised code of its modules, and generates functions when they are
called (`first_load`). Both start a process of its own at the lowest priority that makes a complete, optimised build;
the next load runs that.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import marine_runtime
from marine_gen.artifact.marks import mark_of, pack_source
from marine_gen.artifact.policy import completes_at_once
from marine_gen.artifact.target import Source
from marine_runtime.artifact import warn, write_replacing
from marine_runtime.texts import quoted
from marine_runtime.wasm import baseline_problem

VARIABLE = "MARINE_GEN_BASELINE"
"""Environment variable; `0` stands for complete builds with optimised code from the first load on."""

LARGE = 1 << 19
"""Bytes of modules below which optimised code takes less than half a second."""

_SHELL = "/bin/sh"
_DETACH = '"$@" </dev/null >/dev/null 2>&1 &'
_DETACH_LATER = '{ sleep 1; kill -0 "$0" && exec "$@"; } </dev/null >/dev/null 2>&1 &'
"""The same a second later, if the process `$0` still runs: most commands are over by then."""

_waiting: dict[str, list[Path]] = {}
"""The marks of this process, by its number, that were there when it last looked: the process that it started removes
each."""

_MOST = 64
"""Marks that may wait: a program that loads any number of services once leaves no more."""

_LONGEST = 10  # seconds for the shell, which ends at once


def worthwhile(source: Source, metered: bool) -> bool:
    """True if a first load of `source` runs code of the baseline compiler."""
    return _wanted() and _is_large(source, metered)


def _is_large(source: Source, metered: bool) -> bool:
    return (
        not metered
        and len(source.modules) == 1  # glue between modules has tail calls, which that compiler does not take
        and sum(map(len, source.modules.values())) >= LARGE
        and not (source.python or source.order)  # which no build holds
        and _interpreter() is not None
        and baseline_problem() is None
    )


def on_demand(source: Source, metered: bool, *, cached: bool) -> bool:
    """True if a first load of `source` may generate functions when they are called."""
    if cached and (completes_at_once() or _is_large(source, metered)):
        return False
    return _wanted()


def was_loaded(place: Path) -> bool:
    """True if a program loaded the service before its build was at `place`."""
    return mark_of(place).exists()


def _wanted() -> bool:
    chosen = os.environ.get(VARIABLE, "1")
    if chosen not in ("", "0", "1"):
        warn(
            f"{VARIABLE} is {quoted(chosen)}, which has no effect: write `0` for optimised code from the first load on"
        )
    return chosen != "0"


@contextmanager
def optimised() -> Iterator[None]:
    """While this lasts, loads make optimised code, unless the environment says otherwise: for what runs for long."""
    before = os.environ.get(VARIABLE)
    os.environ.setdefault(VARIABLE, "0")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)


def start_optimising(first: Path, place: Path, flavour: Mapping[str, Any]) -> None:
    """Start the process that builds the service of `first`, a build in the cache, at `place`.

    It is not a child of this process, whose program may wait for its own. It ends when this process does, or when
    another one does the same.
    """
    paths = map(os.path.abspath, (first, place))  # its working directory is another one
    _start(_DETACH, "sh", "optimise", *paths, json.dumps(dict(flavour)), str(os.getpid()))


def start_completing(source: Source, place: Path, flavour: Mapping[str, Any]) -> None:
    """Start such a process for `source` too, which has no build; one does the work for all loads of this process."""
    mark, here = mark_of(place), str(os.getpid())
    waiting = [item for item in _waiting.pop(here, []) if item.exists()]
    _waiting.clear()  # what it was before a fork is the business of the other process
    _waiting[here] = waiting
    if len(waiting) >= _MOST:
        return
    buildable = not (source.python or source.order)
    try:
        mark.parent.mkdir(mode=0o700, exist_ok=True)
        write_replacing(mark, pack_source(source, flavour, here) if buildable else b"")
    except OSError:
        return
    if buildable:
        waiting.append(mark)
    if buildable and len(waiting) == 1:
        _start(_DETACH_LATER, here, "completing", os.path.abspath(place.parent), here)


def _start(detach: str, name: str, module: str, *arguments: str) -> None:
    interpreter = _interpreter()
    if interpreter is None:
        return
    ours = (os.path.dirname(os.path.dirname(__file__)), os.path.dirname(marine_runtime.__file__ or ""))
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    searched = [*map(os.path.dirname, ours), *filter(None, map(_absolute, given))]
    import subprocess

    command = [interpreter, "-P", "-m", f"marine_gen.artifact.{module}", *arguments]
    try:
        subprocess.run(  # noqa: S603  # our own interpreter and code
            [_SHELL, "-c", detach, name, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(searched)), "RAYON_NUM_THREADS": "1"},
            start_new_session=True,
            timeout=_LONGEST,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return  # the next load tries again


def _absolute(path: str) -> str | None:
    """The absolute path of what another working directory has; None where that was deleted."""
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        return None


def _interpreter() -> str | None:
    """The program that runs Python modules here; None where that may be something else."""
    program = sys.executable
    if not program or getattr(sys, "frozen", False) or not os.path.basename(program).startswith("python"):
        return None
    return program if os.path.exists(_SHELL) else None
