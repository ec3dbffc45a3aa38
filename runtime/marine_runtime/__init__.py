"""The runtime of Marine services that marine-gen compiled ahead of time. It needs only wasmtime.

    import marine_runtime

    with marine_runtime.load("build/curl_service") as service:
        service.modules.facade.get_n_save(url, name)

Exports are imported at their first use.
"""

from __future__ import annotations

from marine_runtime.lazy.exports import exports
from marine_runtime.lazy.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marine_runtime.artifact.load import load
    from marine_runtime.calls.options import CallOptions
    from marine_runtime.calls.parameters import CallParameters, ParticleParameters, SecurityTetraplet
    from marine_runtime.calls.state import ServiceState
    from marine_runtime.calls.statistics import Statistics
    from marine_runtime.config.model import ModuleConfig, MountedBinary, ServiceConfig
    from marine_runtime.config.sizes import parse_size
    from marine_runtime.config.toml import ConfigFile, parse_config, read_config
    from marine_runtime.errors import (
        ArgumentError,
        CallError,
        CallTimeoutError,
        ConfigError,
        ExitError,
        FuelLimitError,
        LeftOutError,
        LinkError,
        LoadError,
        MarineError,
        MarineWarning,
        MemoryLimitError,
        ResultError,
        Site,
        StateError,
        TrapError,
        ValueLimitError,
    )
    from marine_runtime.host.function import HostFunction, host_function
    from marine_runtime.host.python_module import PythonModule
    from marine_runtime.host.registry import ServiceHost
    from marine_runtime.host.resolve import HostFunctions
    from marine_runtime.service.interface import Interface, ModuleInterface
    from marine_runtime.service.options import LoadOptions, RunOptions
    from marine_runtime.service.service import Service
    from marine_runtime.traces.recorder import Tracer, tracing
    from marine_runtime.types import Array, Field, FunctionType, Prim, Record, RecordType
    from marine_runtime.values.annotations import F32, S8, S16, S32, S64, U8, U16, U32, U64

__version__ = "0.1.0"

__all__ = [
    "F32",
    "S8",
    "S16",
    "S32",
    "S64",
    "U8",
    "U16",
    "U32",
    "U64",
    "ArgumentError",
    "Array",
    "CallError",
    "CallOptions",
    "CallParameters",
    "CallTimeoutError",
    "ConfigError",
    "ConfigFile",
    "ExitError",
    "Field",
    "FuelLimitError",
    "FunctionType",
    "HostFunction",
    "HostFunctions",
    "Interface",
    "LeftOutError",
    "LinkError",
    "LoadError",
    "LoadOptions",
    "MarineError",
    "MarineWarning",
    "MemoryLimitError",
    "ModuleConfig",
    "ModuleInterface",
    "MountedBinary",
    "ParticleParameters",
    "Prim",
    "PythonModule",
    "Record",
    "RecordType",
    "ResultError",
    "RunOptions",
    "SecurityTetraplet",
    "Service",
    "ServiceConfig",
    "ServiceHost",
    "ServiceState",
    "Site",
    "StateError",
    "Statistics",
    "Tracer",
    "TrapError",
    "ValueLimitError",
    "host_function",
    "load",
    "parse_config",
    "parse_size",
    "read_config",
    "tracing",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        "marine_runtime.artifact.load": ("load",),
        "marine_runtime.calls.options": ("CallOptions",),
        "marine_runtime.calls.parameters": ("CallParameters", "ParticleParameters", "SecurityTetraplet"),
        "marine_runtime.calls.state": ("ServiceState",),
        "marine_runtime.calls.statistics": ("Statistics",),
        "marine_runtime.config.model": ("ModuleConfig", "MountedBinary", "ServiceConfig"),
        "marine_runtime.config.sizes": ("parse_size",),
        "marine_runtime.config.toml": ("ConfigFile", "parse_config", "read_config"),
        "marine_runtime.errors": (
            "ArgumentError",
            "CallError",
            "CallTimeoutError",
            "ConfigError",
            "ExitError",
            "FuelLimitError",
            "LeftOutError",
            "LinkError",
            "LoadError",
            "MarineError",
            "MarineWarning",
            "MemoryLimitError",
            "ResultError",
            "Site",
            "StateError",
            "TrapError",
            "ValueLimitError",
        ),
        "marine_runtime.host.function": ("HostFunction", "host_function"),
        "marine_runtime.host.python_module": ("PythonModule",),
        "marine_runtime.host.registry": ("ServiceHost",),
        "marine_runtime.host.resolve": ("HostFunctions",),
        "marine_runtime.service.interface": ("Interface", "ModuleInterface"),
        "marine_runtime.service.options": ("LoadOptions", "RunOptions"),
        "marine_runtime.service.service": ("Service",),
        "marine_runtime.traces.recorder": ("Tracer", "tracing"),
        "marine_runtime.types": ("Array", "Field", "FunctionType", "Prim", "Record", "RecordType"),
        "marine_runtime.values.annotations": ("F32", "S8", "S16", "S32", "S64", "U8", "U16", "U32", "U64"),
    },
)
