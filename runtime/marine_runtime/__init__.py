"""Runs Marine services that marine-gen compiled ahead of time. Needs wasmtime and nothing else.

import marine_runtime
with marine_runtime.load("build/curl_service") as service:
    service.modules.facade.get_n_save(url, name)
"""

from marine_runtime.artifact import load
from marine_runtime.config import ModuleConfig, ServiceConfig
from marine_runtime.config_file import ConfigFile, parse_config, read_config
from marine_runtime.errors import (
    ArgumentError,
    CallError,
    ConfigError,
    LinkError,
    LoadError,
    MarineError,
    ResultError,
    Site,
    StateError,
    TrapError,
)
from marine_runtime.host import HostFunction
from marine_runtime.service import Service
from marine_runtime.types import Array, Field, FunctionType, Prim, Record, RecordType

__all__ = [
    "ArgumentError",
    "Array",
    "CallError",
    "ConfigError",
    "ConfigFile",
    "Field",
    "FunctionType",
    "HostFunction",
    "LinkError",
    "LoadError",
    "MarineError",
    "ModuleConfig",
    "Prim",
    "Record",
    "RecordType",
    "ResultError",
    "Service",
    "ServiceConfig",
    "Site",
    "StateError",
    "TrapError",
    "load",
    "parse_config",
    "read_config",
]
