"""Resolution of host imports: to a function of the embedder, a built-in one, or a mounted binary.

An embedder's function wins over everything, first by (namespace, name), then by name in any of the four host
namespaces; so a test may replace a mounted binary. Built-in names win over mounted binaries, as in the reference.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from marine_runtime.abi.host_api import HOST_NAMESPACES
from marine_runtime.config.log_levels import VARIABLE, parse_directives
from marine_runtime.config.model import ModuleConfig
from marine_runtime.errors import ArgumentError
from marine_runtime.host import mounted_binary as mounted
from marine_runtime.host.built_in import BUILT_IN, HostImport
from marine_runtime.host.call_parameters import Context
from marine_runtime.host.function import HostFunction, as_host_function
from marine_runtime.values.scalars import abbreviated


class HostFunctions(Protocol):
    """Host functions, or annotated functions, by name or (namespace, name): a mapping, or a `ServiceHost`.

    Only the items are asked for, as keys of a `Mapping` are invariant: `dict[str, HostFunction]` would be refused.
    """

    def items(self) -> Iterable[tuple[str | tuple[str, str], HostFunction | Callable[..., Any]]]:
        """Names and functions."""
        ...


_log = logging.getLogger("marine_runtime")


class HostSide:
    """Everything that the host provides to the modules of one service.

    Attributes:
        call_context: the call parameters that modules see.
    """

    def __init__(self, functions: HostFunctions) -> None:
        """Take the functions of the embedder.

        Raises:
            ArgumentError: one of `functions` is neither a host function nor an annotated one, or has a wrong name.
        """
        self._functions = host_functions(functions)
        self.call_context = Context()
        for problem in parse_directives(os.environ.get(VARIABLE, "")).problems:
            _log.warning("ignored in the environment variable %s: %s", VARIABLE, problem)

    def resolve(self, module: str, settings: ModuleConfig, namespace: str, name: str) -> HostFunction | None:
        """The host function behind an import of `module`, which has `settings`, if there is one.

        Raises:
            LinkError: the module's configuration switches it off.
        """
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
        raise ArgumentError(f"host functions are a mapping or a ServiceHost, not {type(given).__name__}")
    return {import_key(key): as_host_function(item, f"host function {key!r}") for key, item in given.items()}


def import_key(key: Any) -> str | tuple[str, str]:
    """`key` if it can name an import.

    Raises:
        ArgumentError: it is neither a name nor a pair of a namespace and a name.
    """
    if isinstance(key, str) and key:
        return key
    if isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, str) for part in key) and key[1]:
        return key
    raise ArgumentError(f"host functions have names, or pairs of a namespace and a name, not {abbreviated(key)}")
