"""Imports that the host provides: Python functions, Python modules, and the built-in ones.

What is listed here is the interface for the compiler; files of the runtime import each other directly.
"""

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
