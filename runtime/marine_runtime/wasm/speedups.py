"""The optional extension `marine-speedups`: found when it is installed, and not turned off by `MARINE_SPEEDUPS=0`.

It has the usual case of calls in C (`adapters.accelerated`), and the callbacks of memories (`wasm.memory_creator`).
"""

from __future__ import annotations

import os
from functools import cache

from marine_runtime.errors import MarineWarning
from marine_runtime.lazy.typing import TYPE_CHECKING, Any
from marine_runtime.texts.messages import quoted

VARIABLE = "MARINE_SPEEDUPS"
"""The environment variable that turns it off, with the value `0`. It is read when the runtime is imported."""

PROTOCOL = 1
"""The version of what the runtime and the extension expect of each other."""


@cache
def speedups() -> Any | None:
    """The extension; None when it is absent, turned off or of no use."""
    if turned_off():
        return None
    found = _imported()
    return None if _unusable(found) else found


def problem() -> str | None:
    """The reason why an extension that is installed is not used, or None."""
    if turned_off():
        return f"{VARIABLE}=0 turns it off"
    return _unusable(_imported())


def _unusable(found: Any) -> str | None:
    """The reason why what was imported can't be used, or None."""
    if isinstance(found, Exception):
        return f"it can't be imported ({' '.join(str(found).split())}): install it again"
    if getattr(found, "PROTOCOL", None) != PROTOCOL:
        return "it does not belong to this version of marine-runtime: upgrade both"
    return None


@cache
def turned_off() -> bool:
    """True if the environment turns it off; a value that is neither 0 nor 1 gets a warning."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen not in ("", "0", "1"):
        import warnings

        warnings.warn(
            f"{VARIABLE} is {quoted(chosen)}, which has no effect: write `0` to turn the extension off",
            MarineWarning,
            stacklevel=2,
        )
    return chosen == "0"


@cache
def _imported() -> Any:
    """The package, or the error of its import: whatever is wrong with it, calls do not need it."""
    try:
        return __import__("marine_speedups")  # by a name that type checkers of users do not look for
    except Exception as error:
        return error.with_traceback(None)  # it would hold the frames of whoever imports this


class GuardState:
    """The fields of a guard that decide whether a call may begin: those of the extension, where it is in use."""

    __slots__ = ("busy", "failed", "owner")

    busy: Any
    owner: int
    failed: bool


if not TYPE_CHECKING and (_found := speedups()) is not None:
    GuardState = _found.GuardState
