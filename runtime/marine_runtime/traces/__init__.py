"""Traces of calls: instrumentation of adapters, and the recorder.

What is listed here is the interface for the compiler; files of the runtime import each other directly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from marine_runtime.lazy.exports import exports

if TYPE_CHECKING:
    from marine_runtime.traces.instrument import size

__all__ = [
    "size",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        "marine_runtime.traces.instrument": ("size",),
    },
)
