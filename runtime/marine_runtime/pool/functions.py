"""Callable functions of a pool, the members of `pool.modules`."""

from __future__ import annotations

from collections.abc import Callable

from marine_runtime.calls.options import CallOptions
from marine_runtime.lazy.typing import Any
from marine_runtime.pool.job import Job, Request
from marine_runtime.pool.marshal import FunctionMarshaller


class PoolFunction:
    """One exported function; a call waits for its result. `AsyncServicePool.run` takes it too.

    Args:
        module: import name of the module.
        name: name of the function.
        marshaller: converts arguments and results.
        listing: its signature, as listings show it.
        options: those of each call.
        run: queues a call and waits for it.
    """

    def __init__(
        self,
        module: str,
        name: str,
        marshaller: FunctionMarshaller,
        listing: str,
        options: CallOptions,
        run: Callable[[Job], Any],
    ) -> None:
        self.__name__ = self.__qualname__ = name
        self.__doc__ = listing
        self._module, self._name, self._marshaller, self._options = module, name, marshaller, options
        self.run = run

    def job(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Job:
        """A call that is not queued yet.

        Raises:
            ArgumentError: the arguments do not fit the signature.
        """
        values = self._marshaller.bind(args, kwargs)
        return Job(Request(self._module, self._name, [values], self._options), self._marshaller.publish)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(self.job(args, kwargs))

    def __repr__(self) -> str:
        return f"<function {self._module}.{self._name} of a pool>"
