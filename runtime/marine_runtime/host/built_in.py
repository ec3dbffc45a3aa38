"""The functions that the runtime provides to every module, by the names of their imports.

A module may import them from any of the host namespaces. This table is all that is known about which there are; what
they do is in the files of the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from marine_runtime.config.model import ModuleConfig
from marine_runtime.errors import LinkError
from marine_runtime.host import call_parameters, logger
from marine_runtime.host.function import HostFunction
from marine_runtime.lazy.data import dataclass


@dataclass(frozen=True, slots=True)
class HostImport:
    """An import that is to be provided.

    Attributes:
        module: the module that imports it.
        namespace: one of the host namespaces.
        name: its name there.
        settings: those of the module.
        call_context: the call parameters that modules of the service see.
    """

    module: str
    namespace: str
    name: str
    settings: ModuleConfig
    call_context: call_parameters.Context


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A function of the runtime.

    Attributes:
        description: the function in a few words, for pictures of a service.
        make: makes the function for one import; raises LinkError when the module may not have it.
    """

    description: str
    make: Callable[[HostImport], HostFunction]


def _call_parameters(wanted: HostImport) -> HostFunction:
    return wanted.call_context.host_function(wanted.namespace)


def _logger(wanted: HostImport) -> HostFunction:
    if not wanted.settings.logger_enabled:
        raise LinkError(
            f"module `{wanted.module}` imports `{wanted.namespace}.{wanted.name}`, but its configuration switches the "
            "logger off: set `logger_enabled = true`"
        )
    return logger.logger(wanted.module, wanted.settings.logging_mask)


BUILT_IN: Mapping[str, BuiltIn] = {
    call_parameters.NAME: BuiltIn("the parameters of the call", _call_parameters),
    logger.NAME: BuiltIn("the logger of the runtime", _logger),
}
"""The functions by the name of their import."""
