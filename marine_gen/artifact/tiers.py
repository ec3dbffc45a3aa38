"""The first machine code of a large service: that of the baseline compiler, until a process has made better code.

Optimised code of some megabytes takes seconds. A first load runs code that is made sooner, and starts a process of its
own at the lowest priority that builds the service once more, for the cache. The next load runs that.
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
from marine_gen.artifact.target import Source
from marine_runtime.artifact import warn
from marine_runtime.texts import quoted
from marine_runtime.wasm import baseline_problem

VARIABLE = "MARINE_GEN_BASELINE"
"""Environment variable; `0` stands for optimised code from the first load on."""

LARGE = 1 << 19
"""Bytes of modules below which optimised code takes less than half a second."""

_SHELL = "/bin/sh"
_DETACH = '"$@" </dev/null >/dev/null 2>&1 &'
_LONGEST = 10  # seconds for the shell, which ends at once


def worthwhile(source: Source, metered: bool) -> bool:
    """True if a first load of `source` runs code of the baseline compiler."""
    return (
        _wanted()
        and not metered
        and sum(map(len, source.modules.values())) >= LARGE
        and not (source.python or source.order)  # which no build holds
        and _interpreter() is not None
        and baseline_problem() is None
    )


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
    interpreter = _interpreter()
    if interpreter is None:
        return
    ours = (os.path.dirname(os.path.dirname(__file__)), os.path.dirname(marine_runtime.__file__ or ""))
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    searched = [*map(os.path.dirname, ours), *map(os.path.abspath, given)]  # its working directory is another one
    import subprocess

    command = [interpreter, "-P", "-m", "marine_gen.artifact.optimise"]
    try:
        subprocess.run(  # noqa: S603  # our own interpreter and code
            [
                _SHELL,
                "-c",
                _DETACH,
                "sh",
                *command,
                str(first),
                str(place),
                json.dumps(dict(flavour)),
                str(os.getpid()),
            ],
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


def _interpreter() -> str | None:
    """The program that runs Python modules here; None where that may be something else."""
    program = sys.executable
    if not program or getattr(sys, "frozen", False) or not os.path.basename(program).startswith("python"):
        return None
    return program if os.path.exists(_SHELL) else None
