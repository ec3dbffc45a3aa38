"""Texts: the parts that messages share, and identifiers made of names.

What is listed here is the interface for the compiler; files of the runtime import each other directly.
"""

from __future__ import annotations

from marine_runtime.lazy.exports import exports
from marine_runtime.lazy.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marine_runtime.texts.messages import (
        NEEDS_ROOM,
        are,
        counted,
        did_you_mean,
        listed,
        nearest,
        os_reason,
        quoted,
        shortened,
        suggestion,
    )
    from marine_runtime.texts.names import MAX_IDENTIFIER, field_step, identifier, identifiers

__all__ = [
    "MAX_IDENTIFIER",
    "NEEDS_ROOM",
    "are",
    "counted",
    "did_you_mean",
    "field_step",
    "identifier",
    "identifiers",
    "listed",
    "nearest",
    "os_reason",
    "quoted",
    "shortened",
    "suggestion",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        "marine_runtime.texts.messages": (
            "NEEDS_ROOM",
            "are",
            "counted",
            "did_you_mean",
            "listed",
            "nearest",
            "os_reason",
            "quoted",
            "shortened",
            "suggestion",
        ),
        "marine_runtime.texts.names": ("MAX_IDENTIFIER", "field_step", "identifier", "identifiers"),
    },
)
