"""The Python interpreter that `multiprocessing` starts as a worker process, and what it chooses for the program."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import spawn

_ADVICE = "name one with `multiprocessing.set_executable`, or use a pool of threads"


def problem() -> str | None:
    """The reason why no interpreter can be started here, or None."""
    program = _program()
    if not program:
        return f"`sys.executable` names no Python interpreter, as where a program embeds Python; {_ADVICE}"
    if not os.access(program, os.X_OK):
        return f"there is no Python interpreter `{program}`, which `sys.executable` names; {_ADVICE}"
    try:
        os.getcwd()
    except OSError:
        return "the working directory of this process was deleted; change to another one"
    return None


def doubt() -> str | None:
    """A sentence that doubts that the program is an interpreter; None where its name says that it is one."""
    program = _program()
    if getattr(sys, "frozen", False) or os.path.basename(program).lower().startswith(("python", "pypy")):
        return None
    return f"`{program}`, which `sys.executable` names, has to be a Python interpreter; {_ADVICE}"


@contextmanager
def start_method_left_open() -> Iterator[None]:
    """While a process is started, `multiprocessing` settles on its default start method; then it is open again.

    A program may call `multiprocessing.set_start_method` once, also after it has made a pool.
    """
    chosen = multiprocessing.get_start_method(allow_none=True)
    try:
        yield
    finally:
        default = multiprocessing.get_all_start_methods()[0]
        if chosen is None and multiprocessing.get_start_method(allow_none=True) == default:
            multiprocessing.set_start_method(None, force=True)


def _program() -> str:
    """The path of what `multiprocessing` starts, or nothing."""
    found: str | bytes | None = spawn.get_executable()
    return os.fsdecode(found or "")
