"""Wasmtime's baseline compiler, Winch: it compiles sooner, to code that runs longer.

An engine has one compiler, and refuses machine code of the other. So what it compiled runs on runtimes of its own.
"""

from __future__ import annotations

import sys
from functools import cache

from marine_runtime.wasm.capi.library import machine
from marine_runtime.wasm.installed import wasmtime_version

STRATEGY = 2
"""Winch in `wasmtime_strategy_enum`."""

_VERSIONS = ("50",)
"""Versions of Wasmtime with which our glue was tried; one that lacks the compiler would end the process."""


@cache
def problem() -> str | None:
    """The reason why the baseline compiler is not used here, or None."""
    version = wasmtime_version()
    if version.partition(".")[0] not in _VERSIONS:
        return f"it was not tried with wasmtime {version}"
    if sys.platform != "linux" or machine() != "x86_64":
        return f"it was not tried for {sys.platform} on {machine()}"
    return None
