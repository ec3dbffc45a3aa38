"""Imports that the host provides: Python functions, Python modules, and the built-in ones.

What is listed here is the interface for the compiler; files of the runtime import each other directly.
"""

from __future__ import annotations

from marine_runtime.lazy.exports import exports
from marine_runtime.lazy.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marine_runtime.host.built_in import BUILT_IN
    from marine_runtime.host.call_parameters import NAME as CALL_PARAMETERS
    from marine_runtime.host.call_parameters import checked as checked_parameters
    from marine_runtime.host.host_check import check_programs
    from marine_runtime.host.logger import NAME as LOGGER
    from marine_runtime.host.python_module import check_python_modules, in_order
    from marine_runtime.host.resolve import HostSide, host_functions
    from marine_runtime.wasi.functions import NAMESPACES as WASI_NAMESPACES

__all__ = [
    "BUILT_IN",
    "CALL_PARAMETERS",
    "LOGGER",
    "WASI_NAMESPACES",
    "HostSide",
    "check_programs",
    "check_python_modules",
    "checked_parameters",
    "host_functions",
    "in_order",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        "marine_runtime.host.built_in": ("BUILT_IN",),
        "marine_runtime.host.host_check": ("check_programs",),
        "marine_runtime.host.python_module": ("check_python_modules", "in_order"),
        "marine_runtime.host.resolve": ("HostSide", "host_functions"),
    },
    {
        "CALL_PARAMETERS": ("marine_runtime.host.call_parameters", "NAME"),
        "checked_parameters": ("marine_runtime.host.call_parameters", "checked"),
        "LOGGER": ("marine_runtime.host.logger", "NAME"),
        "WASI_NAMESPACES": ("marine_runtime.wasi.functions", "NAMESPACES"),
    },
)
