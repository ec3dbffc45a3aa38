"""Log messages of guests while a command runs them, and warnings about configurations, on stderr."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from marine_gen.console.report import clean, warn

LEVELS = {
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": 1,
}


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """One line; guests do not get to steer the terminal."""
        level = "trace" if record.levelno < logging.DEBUG else record.levelname.lower()
        return clean(f"{level}: {record.name}: {record.getMessage()}")


@contextmanager
def logging_to_stderr(level: str) -> Iterator[None]:
    """Show log messages of at least `level` while the block runs."""
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    before = root.level
    root.addHandler(handler)
    root.setLevel(LEVELS[level])
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


@contextmanager
def marine_warnings() -> Iterator[None]:
    """Show each `MarineWarning` once while the block runs, in the form that all warnings of the command line have."""
    shown: set[str] = set()

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
    ) -> None:
        if category.__name__ != "MarineWarning":  # help pages come without the runtime
            before(message, category, filename, lineno, file, line)
        elif str(message) not in shown:
            shown.add(str(message))
            warn(clean(str(message)))

    with warnings.catch_warnings():
        before = warnings.showwarning
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
