"""Traces of calls: instrumentation of adapters, and the recorder.

What is listed here is the interface for the compiler; files of the runtime import each other directly.
"""

from marine_runtime.tracing.instrument import size

__all__ = [
    "size",
]
