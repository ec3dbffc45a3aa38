"""Admission of calls: one at a time, from the thread that owns the service, while it is open.

The rule is written once, in `CallAdmission`, for everything that is not generated. Entries of generated glue can't
afford its method calls; they have the same statements inline, which `INLINE_CALL` spells for the compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from marine_runtime.calls.greenlets import enter
from marine_runtime.calls.limits import OWN_LIMIT, blame
from marine_runtime.calls.sites import locate
from marine_runtime.calls.state import ServiceState
from marine_runtime.errors import CallError, StateError
from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.typing import TypeVar
from marine_runtime.wasm.budget import Budget
from marine_runtime.wasm.covered import covered
from marine_runtime.wasm.native import get_ident
from marine_runtime.wasm.speedups import GuardState

_Error = TypeVar("_Error", bound=BaseException)

INLINE_CALL = """\
if {guard}.busy or {get_ident}() != {guard}.owner:
    {guard}.refuse()
{guard}.busy = True
try:
    {body}
except {CallError} as {error}:
    {located} = {guard}.explain({error})
    raise {located} from {located}.__cause__
except BaseException:
    {guard}.failed = True
    raise
finally:
    {guard}.busy = False
"""
"""`with guard.call(): BODY` without a call. The compiler fills in the names, and `body`, one statement.

A test runs both against one table of states.
"""


_NOBODY = -1  # no thread has this identifier


@dataclass(slots=True)
class _Refusals:
    """The growths that were refused to the running call."""

    count: int = 0


class Guard(GuardState):
    """Admission control of one service. Inlined entries read `busy` and `owner` directly; `refuse` says why.

    Attributes:
        busy: true while a call runs, and permanently once the service is closed. The record of the growths that were
            refused to the running call takes the place of True, so that it ends with the call, at no cost.
        closed: whether the service was closed.
        failed: whether a call was ever interrupted.
        owner: the thread that may call without more ado; none may while no long call would be noticed, see `rest`.
    """

    __slots__ = ("_attend", "_budget", "_call", "_exclusive", "_thread", "closed", "service")

    def __init__(
        self, service: str, budget: Budget | None = None, attend: Callable[[Guard], None] | None = None
    ) -> None:
        """Guard a service.

        Args:
            service: its name, for messages.
            budget: pays for its memory; a growth that it refuses is put down to the running call.
            attend: polls this guard regularly, so that long calls can be interrupted.
        """
        self.service = service
        self._thread = get_ident()
        self._attend = attend
        self.owner = self._thread if attend is None else _NOBODY
        self.busy: bool | _Refusals = False
        self.closed = False
        self.failed = False
        self._budget = Budget() if budget is None else budget
        self._budget.on_reject = self._count_refusal
        self._exclusive = Admission(self)
        self._call = CallAdmission(self)

    def call(self) -> CallAdmission:
        """The context of one call.

        Errors get their places, and whatever breaks the call off marks the service as failed.

        Raises:
            StateError: no call may begin.
        """
        return self._call

    def exclusive(self) -> Admission:
        """The context of something else that no call may run beside; errors pass through it as they are.

        Raises:
            StateError: no call may begin.
        """
        return self._exclusive

    def require_idle(self) -> None:
        """Do nothing if a call may begin.

        Raises:
            StateError: the service is closed, busy, or owned by another thread.
        """
        if self.busy or get_ident() != self.owner:
            self.refuse()

    def close(self) -> None:
        """Refuse every later call; `busy` stays set, so that entries need to look at one flag only.

        Raises:
            StateError: no call may begin now, so that the service can't be closed either.
        """
        if self.busy or get_ident() != self._thread:
            self.refuse()
        self.closed = True
        self.busy = True

    @property
    def running(self) -> bool:
        """True while a call runs."""
        return bool(self.busy) and not self.closed

    def rest(self) -> bool:
        """Let the next call come to `refuse`, which has the guard attended again; False while one runs."""
        if self.busy and not self.closed:
            return False
        self.owner = _NOBODY
        return True

    def may_call(self) -> bool:
        """True if a call of this thread may begin."""
        return not self.busy and get_ident() == self._thread

    def explain(self, error: CallError) -> CallError:
        """The error that a call raises instead of `error`: with its places, and the limit that was in its way."""
        return self.judge(locate(error))

    def judge(self, error: _Error) -> _Error | CallError:
        """Note that `error` broke a call off; returns it, or the error that blames the memory limit for it."""
        self.failed = True
        refusals = self.busy
        if not isinstance(refusals, _Refusals) or not isinstance(error, CallError) or isinstance(error, OWN_LIMIT):
            return error
        self.busy = True
        return blame(error, refusals.count, self._budget)

    @property
    def state(self) -> ServiceState:
        """The state of the service."""
        if self.closed:
            return ServiceState.CLOSED
        if self.busy:
            return ServiceState.BUSY
        return ServiceState.FAILED if self.failed else ServiceState.READY

    def refuse(self) -> None:
        """Raise the StateError that says why no call may begin; return when one may, and is attended from now on."""
        from marine_runtime.wasm.native import has_greenlets

        if self.may_call() and self._attend is not None:
            if has_greenlets():
                enter(self)  # for each call: `owner` stays as it is
            else:
                self.owner = self._thread
            try:
                self._attend(self)
            except BaseException as error:
                self.owner = _NOBODY
                if not isinstance(error, RuntimeError):  # no thread is left, but the call needs none
                    raise
            return
        if self.closed:
            raise StateError(f"service `{self.service}` is closed")
        if get_ident() != self._thread:
            raise StateError(
                f"service `{self.service}` belongs to the thread that loaded it; load one service per thread"
            )
        raise StateError(
            f"service `{self.service}` is busy: a host function can't call back into the service that called it"
        )

    def _count_refusal(self) -> None:
        """Put a refused growth down to the running call, if there is one."""
        if self.closed or not self.busy:
            return
        if not isinstance(self.busy, _Refusals):
            self.busy = _Refusals()
        self.busy.count += 1


class Admission:
    """Exclusive use of a service for the time of a `with` block."""

    __slots__ = ("_guard",)

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def __enter__(self) -> None:
        guard = self._guard
        if guard.busy or get_ident() != guard.owner:
            guard.refuse()
        guard.busy = True

    @covered
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._guard.busy = False
        except BaseException:  # of a signal handler, before the first line
            self._guard.busy = False
            raise


class CallAdmission(Admission):
    """The same for a call, whose errors are explained."""

    __slots__ = ()

    @covered
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            guard = self._guard
            if isinstance(error, CallError):
                located = guard.explain(error)
                raise located from located.__cause__
            if error is not None:
                guard.failed = True
        finally:
            self._guard.busy = False
