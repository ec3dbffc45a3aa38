"""The memory budget of one service: one counter that every growth is taken from.

It only counts. `memories` asks it before a linear memory grows, linking asks it for tables. Nothing is ever given back,
as Wasm memory can't shrink.
"""

from __future__ import annotations

from collections.abc import Callable

TABLE_ELEMENT = 8
"""Bytes that one element of a table counts."""


class Budget:
    """The memory that a service may still allocate.

    Attributes:
        limit: bytes that the service may take in total; None for no limit.
        used: bytes that it has taken.
        rejects: the number of refused growths.
        reason: the system's reason for refusing the last of them; empty when the limit refused it.
        on_reject: called after each refusal.
    """

    __slots__ = ("limit", "on_reject", "reason", "rejects", "used")

    def __init__(self, limit: int | None = None, on_reject: Callable[[], None] | None = None) -> None:
        self.limit = limit
        self.used = 0
        self.rejects = 0
        self.reason = ""
        self.on_reject = on_reject

    def take(self, size: int) -> bool:
        """Take `size` bytes; False, and nothing taken, when that is more than is left."""
        if self.limit is not None and self.used + size > self.limit:
            self.refuse()
            return False
        self.used += size
        return True

    def refuse(self, reason: str = "") -> None:
        """Count a growth that was refused: by the limit, or by the system for the `reason` given."""
        self.rejects += 1
        self.reason = reason
        if self.on_reject is not None:
            self.on_reject()
