"""Forks of this process, also those of which Python does not know.

`os.fork` runs the hooks of `os.register_at_fork`. A program that embeds Python may fork without them, as uWSGI does
unless it is told otherwise. So what relies on threads or locks of the parent asks here before it does.
"""

from __future__ import annotations

import os
from collections.abc import Callable


class _Process:
    """The process that has run the actions."""

    number = os.getpid()


_actions: list[Callable[[], object]] = []


def begin_in_child(action: Callable[[], object]) -> None:
    """Run `action` in every forked process, before it uses what `action` sets right."""
    _actions.append(action)


def notice() -> None:
    """Run the actions in a process that was forked without Python's hooks."""
    if os.getpid() != _Process.number:
        _begin()


def _begin() -> None:
    _Process.number = os.getpid()
    for action in _actions:
        action()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)
