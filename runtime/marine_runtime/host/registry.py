"""Host functions collected by a decorator, as an alternative to a mapping.

It says which names a function stands for; types are read in `values.annotations` and checked in
`host.function`, and which function provides an import is decided in `host.resolve`.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Sequence

from marine_runtime.errors import ArgumentError
from marine_runtime.host.function import HostFunction, HostType, as_host_function
from marine_runtime.host.resolve import import_key
from marine_runtime.lazy.typing import Any, overload
from marine_runtime.values.scalars import kind

Decorator = Callable[[Callable[..., Any]], HostFunction]


class ServiceHost:
    """Host functions for the modules of services, which can be passed instead of a mapping.

        host = ServiceHost()

        @host.function
        def add(a: S32, b: S32) -> S32:
            return a + b

    Decorated functions can still be called from Python.
    """

    def __init__(self) -> None:
        """Provide nothing yet."""
        self._functions: dict[str | tuple[str, str], HostFunction] = {}

    def __repr__(self) -> str:
        names = ", ".join(".".join(key) if isinstance(key, tuple) else key for key in self._functions)
        return f"<ServiceHost: {names or 'nothing'}>"

    def items(self) -> ItemsView[str | tuple[str, str], HostFunction]:
        """The functions by name or (namespace, name), as a mapping gives them."""
        return self._functions.items()

    @overload
    def function(self, function: Callable[..., Any], /) -> HostFunction: ...

    @overload
    def function(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        namespace: str | None = None,
        params: Sequence[HostType | tuple[str, HostType]] | None = None,
        result: HostType | None = None,
    ) -> Decorator: ...

    def function(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        namespace: str | None = None,
        params: Sequence[HostType | tuple[str, HostType]] | None = None,
        result: HostType | None = None,
    ) -> HostFunction | Decorator:
        """Decorator: modules may import the function. It can still be called from Python.

        Args:
            function: the function, when the decorator has no arguments.
            name: the name of the import; the function's own by default.
            namespace: the one namespace that it is imported from; by default all four host namespaces.
            params: types of the parameters, named or not; without `params` and `result` the types are the annotations.
            result: type of the result; None for none.

        Raises:
            ArgumentError: it has no types or no name, or the name is taken.
        """

        def provide(function: Callable[..., Any]) -> HostFunction:
            key = self._key(function, name, namespace)
            where = f"host function {key!r}"
            if params is None and result is None:
                made = as_host_function(function, where)
            elif isinstance(function, HostFunction):
                raise ArgumentError(f"{where} already has types; give them once")
            else:
                made = HostFunction.of(function, params or (), result)
            self._functions[key] = made
            return made

        return provide if function is None else provide(function)

    def _key(self, function: Any, name: str | None, namespace: str | None) -> str | tuple[str, str]:
        inner = function.function if isinstance(function, HostFunction) else function
        if not callable(inner):
            raise ArgumentError(f"a host function must be callable, not {kind(inner)}; write for example name='curl'")
        if name is None:
            name = getattr(inner, "__name__", None)
            if name is None:
                raise ArgumentError(f"a host function of type {type(inner).__name__} has no name of its own; give one")
        key = import_key(name if namespace is None else (namespace, name))
        if key in self._functions:
            raise ArgumentError(f"the host function {key!r} is already registered")
        return key
