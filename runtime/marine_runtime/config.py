"""The configuration of a service, as typed objects (spec marine-runtime §5.1).

This is what linking works with. Configuration files are read elsewhere; embedders may build these objects directly.
Paths are those of the host and are used as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ALL_TARGETS = 2147483647
"""The logging mask that lets every target through."""


@dataclass(frozen=True, slots=True)
class ModuleConfig:
    """What one module may use.

    Attributes:
        logger_enabled: whether `log_utf8_string` is provided.
        logging_mask: targets whose messages are kept, as bits; target 0 always is.
        mounted_binaries: host program by import name.
        envs: WASI environment.
        mapped_dirs: host directory by the name that the guest sees.
    """

    logger_enabled: bool = True
    logging_mask: int = ALL_TARGETS
    mounted_binaries: Mapping[str, str] = field(default_factory=dict)
    envs: Mapping[str, str] = field(default_factory=dict)
    mapped_dirs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """Settings of a service.

    Attributes:
        total_memory_limit: bytes that all memories and tables of the service may take together; None for no limit.
        modules: settings by module name; a module that is not named has the defaults.
    """

    total_memory_limit: int | None = None
    modules: Mapping[str, ModuleConfig] = field(default_factory=dict)

    def module(self, name: str) -> ModuleConfig:
        """The settings of one module."""
        return self.modules.get(name, ModuleConfig())
