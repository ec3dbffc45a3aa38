"""Calls in programs with greenlets.

Wasmtime keeps the running guests of a thread in a stack of its own. A greenlet that switches inside a host function
leaves its guest there. When another one then enters a guest, and the first goes on before that has left, the process
ends. So no greenlet enters a guest while that of another one waits on the same thread. Python imports the module
`greenlet` before there are any: programs without it pay nothing.
"""

from __future__ import annotations

import sys

from marine_runtime.errors import StateError
from marine_runtime.lazy.typing import Protocol
from marine_runtime.wasm.native import thread_ident


class Running(Protocol):
    """A service that may run a call.

    Attributes:
        service: its name.
    """

    service: str

    @property
    def running(self) -> bool:
        """True while a call runs."""
        ...


_entered: dict[int, list[tuple[Running, object]]] = {}
"""The calls of each thread, with their greenlets; those that are over are left out when the next begins."""


def enter(service: Running) -> None:
    """Note that the current greenlet begins a call.

    Raises:
        StateError: a guest of another greenlet waits on this thread.
    """
    current = sys.modules["greenlet"].getcurrent()
    thread = thread_ident()
    calls = [item for item in _entered.get(thread, ()) if item[0].running and item[0] is not service]
    for other, greenlet in calls:
        if greenlet is not current:
            raise StateError(
                f"service `{service.service}` can't be called now: on this thread, a host function of service "
                f"`{other.service}` has switched to another greenlet, and its guest waits. Calls whose host functions "
                'switch need threads or processes of their own: use a `ServicePool` of kind "processes"'
            )
    _entered[thread] = [*calls, (service, current)]
