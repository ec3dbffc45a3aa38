"""Calls of Marine services in C. `marine_runtime` finds this package when it is installed; nobody else imports it."""

from __future__ import annotations

from marine_speedups._native import PROTOCOL, Call, GuardState, memory_callbacks

__all__ = ["PROTOCOL", "Call", "GuardState", "__version__", "memory_callbacks"]

__version__ = "0.1.0"
