"""The state of a service: ready for calls, closed, or unknown since a call was interrupted."""

from __future__ import annotations

from enum import Enum


class ServiceState(Enum):
    """The state of a service.

    Once a call was interrupted, by a trap, a time limit, an error in an adapter or an exception of a host function, the
    service is `FAILED`: it takes calls as before, but nothing was undone: its guests keep the state in which that call
    left them. It stays `FAILED` until it is closed. Load it again for a clean start.
    """

    READY = "ready"
    BUSY = "busy"
    FAILED = "failed"
    CLOSED = "closed"
