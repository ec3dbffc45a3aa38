"""Who may enter a service: one call at a time, from the thread that owns it, while it is open (architecture §5)."""

from __future__ import annotations

from threading import get_ident
from typing import NoReturn

from marine_runtime.errors import StateError


class Guard:
    """The door of one service. Entries read `busy` and `owner` directly; `refuse` explains a closed door."""

    __slots__ = ("busy", "closed", "owner", "service")

    def __init__(self, service: str) -> None:
        self.service = service
        self.owner = get_ident()
        self.busy = False
        self.closed = False

    def enter(self) -> None:
        """Begin a call; raises StateError when the door is closed."""
        if self.busy or get_ident() != self.owner:
            self.refuse()
        self.busy = True

    def leave(self) -> None:
        """End a call."""
        self.busy = False

    def close(self) -> None:
        """Refuse every later call. `busy` stays up, so that entries need to look at one flag only."""
        self.closed = True
        self.busy = True

    def refuse(self) -> NoReturn:
        """Say why the door is closed."""
        if self.closed:
            raise StateError(f"service `{self.service}` is closed")
        if get_ident() != self.owner:
            raise StateError(
                f"service `{self.service}` belongs to the thread that loaded it; load one service per thread"
            )
        raise StateError(
            f"service `{self.service}` is busy: a host function can't call back into the service that called it"
        )
