"""Checks of settings that an embedder passes to `load` as Python objects."""

from __future__ import annotations

import os

from marine_runtime.config.model import ModuleConfig, ServiceConfig
from marine_runtime.errors import ConfigError
from marine_runtime.lazy.typing import Any


def check_config(value: Any) -> ServiceConfig | None:
    """`value` if it can be `config=` of a service: a ServiceConfig, or None.

    Raises:
        ConfigError: it is something else; the message has the correction.
    """
    if value is None or isinstance(value, ServiceConfig):
        return value
    raise ConfigError(f"`config` must be a ServiceConfig, not {_what(value)}; {_instead(value)}")


def check_module_config(value: Any) -> ModuleConfig | None:
    """`value` if it can be `config=` of one module: a ModuleConfig, or None.

    Raises:
        ConfigError: it is something else; the message has the correction.
    """
    if value is None or isinstance(value, ModuleConfig):
        return value
    raise ConfigError(f"`config` of a module must be a ModuleConfig, not {_what(value)}")


def _what(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _instead(value: Any) -> str:
    match value:
        case str() | os.PathLike():
            path = str(value)
            return f"write `config=read_config({path!r}).config` for the settings of a file, or load the file itself"
        case ModuleConfig():
            return "write `config=ServiceConfig(modules={NAME: …})` for the settings of the module NAME"
        case dict():
            return "write `config=ServiceConfig.from_json(…)` for settings as JSON has them"
        case _:
            return "write for example `config=ServiceConfig(total_memory_limit=64 << 20)`"
