"""Resolution of host imports: to a function of the embedder, a built-in one, or a mounted binary.

An embedder's function wins over everything, first by (namespace, name), then by name in any of the four host
namespaces; so a test may replace a mounted binary. Built-in names win over mounted binaries, as in the reference.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol  # others may derive protocols from the one here

from marine_runtime.abi.host_api import HOST_NAMESPACES
from marine_runtime.config.model import ModuleConfig
from marine_runtime.errors import ArgumentError

if TYPE_CHECKING:
    from marine_runtime.host.call_parameters import Context
    from marine_runtime.host.function import HostFunction


class HostFunctions(Protocol):
    """Host functions, or annotated functions, by name or (namespace, name): a mapping, or a `ServiceHost`.

    Only the items are asked for, as keys of a `Mapping` are invariant: `dict[str, HostFunction]` would be refused.
    """

    def items(self) -> Iterable[tuple[str | tuple[str, str], HostFunction | Callable[..., Any]]]:
        """Names and functions."""
        ...


class HostSide:
    """Everything that the host provides to the modules of one service."""

    def __init__(self, functions: HostFunctions) -> None:
        """Take the functions of the embedder.

        Raises:
            ArgumentError: one of `functions` is neither a host function nor an annotated one, or has a wrong name.
        """
        self._functions = host_functions(functions)
        if directives := os.environ.get("WASM_LOG"):
            from marine_runtime.config.log_levels import report_problems

            report_problems(directives)

    @cached_property
    def call_context(self) -> Context:
        """The call parameters that modules see."""
        from marine_runtime.host.call_parameters import Context

        return Context()

    def resolve(self, module: str, settings: ModuleConfig, namespace: str, name: str) -> HostFunction | None:
        """The host function behind an import of `module`, which has `settings`, if there is one.

        Raises:
            LinkError: the module's configuration switches it off.
        """
        from marine_runtime.host import mounted_binary as mounted
        from marine_runtime.host.built_in import BUILT_IN, HostImport

        if (namespace, name) in self._functions:
            return self._functions[namespace, name]
        if namespace not in HOST_NAMESPACES:
            return None
        if name in self._functions:
            return self._functions[name]
        if name in BUILT_IN:
            return BUILT_IN[name].make(HostImport(module, namespace, name, settings, self.call_context))
        if name in settings.mounted_binaries:
            return mounted.host_function(name, settings.mounted_binaries[name])
        return None


def host_functions(given: HostFunctions) -> dict[str | tuple[str, str], HostFunction]:
    """Everything that an embedder gave, as host functions.

    Raises:
        ArgumentError: something in it is neither a host function nor an annotated one, or has a wrong name.
    """
    if isinstance(given, type) or not callable(getattr(given, "items", None)):
        raise ArgumentError(f"host functions must be a mapping or a ServiceHost, not {type(given).__name__}")
    items = list(given.items())
    if not items:
        return {}
    from marine_runtime.host.function import as_host_function

    return {import_key(key): as_host_function(item, f"host function {key!r}") for key, item in items}


def import_key(key: Any) -> str | tuple[str, str]:
    """`key` if it can name an import.

    Raises:
        ArgumentError: it is neither a name nor a pair of a namespace and a name.
    """
    from marine_runtime.values.scalars import abbreviated

    if isinstance(key, str) and key:
        return key
    if isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, str) for part in key) and key[1]:
        return key
    raise ArgumentError(f"host functions must have names, or pairs of a namespace and a name, not {abbreviated(key)}")
