"""Log messages of guests while a command runs them, and warnings about configurations, on stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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


class _Warnings(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """One line of the form that all warnings of the command line have."""
        warn(clean(record.getMessage()))


@contextmanager
def configuration_warnings() -> Iterator[None]:
    """Show warnings about configuration files while the block runs, once whatever else shows logs."""
    logger = logging.getLogger("marine_runtime.config.toml")
    handler, before = _Warnings(), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
