"""The choice of what a first load makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_at_once = False


def completes_at_once() -> bool:
    """True if loads make complete builds where there is none."""
    return _at_once


@contextmanager
def complete_builds() -> Iterator[None]:
    """While this lasts, loads of this process make complete builds at once: for commands, which end soon after."""
    global _at_once
    before, _at_once = _at_once, True
    try:
        yield
    finally:
        _at_once = before
