"""Who may enter a service: one call at a time, from the thread that owns it, while it is open (architecture §5)."""

from __future__ import annotations

from threading import get_ident
from typing import NoReturn, TypeVar

from marine_runtime.calls.limits import OWN_LIMIT, blame
from marine_runtime.calls.sites import locate
from marine_runtime.calls.state import ServiceState
from marine_runtime.errors import CallError, StateError

_Error = TypeVar("_Error", bound=BaseException)


class Guard:
    """The door of one service. Entries read `busy` and `owner` directly; `refuse` explains a closed door.

    Attributes:
        busy: whether a call is running; beyond 1, how often its growth was refused, so that a call which succeeds
            forgets that without doing anything.
        failed: whether a call was ever broken off.
        limit: the memory limit of the service, for its errors.
    """

    __slots__ = ("busy", "closed", "failed", "limit", "owner", "service")

    def __init__(self, service: str) -> None:
        self.service = service
        self.owner = get_ident()
        self.busy: int = False
        self.closed = False
        self.failed = False
        self.limit: int | None = None

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

    def count_reject(self) -> None:
        """A growth was refused; it belongs to the call that is running, if one is."""
        if self.busy and not self.closed:
            self.busy += 1

    def explain(self, error: CallError) -> CallError:
        """What an entry raises instead of `error`: it gets its places, and names the limit that was in its way."""
        return self.judge(locate(error))

    def judge(self, error: _Error) -> _Error | CallError:
        """A call was broken off by `error`: the error itself, or one that names the memory limit."""
        self.failed = True
        rejects = self.busy - 1
        if rejects < 1 or not isinstance(error, CallError) or isinstance(error, OWN_LIMIT):
            return error
        self.busy = True
        return blame(error, rejects, self.limit)

    @property
    def state(self) -> ServiceState:
        """The state of the service."""
        if self.closed:
            return ServiceState.CLOSED
        if self.busy:
            return ServiceState.BUSY
        return ServiceState.FAILED if self.failed else ServiceState.READY

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
