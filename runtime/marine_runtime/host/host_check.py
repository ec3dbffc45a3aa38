"""Checks of the file system before a service is linked (docs/spec/configuration.md#path-resolution).

Mapped directories are made when they are missing. A mounted program that is missing is reported to the guest that runs
it, so a service loads on machines without it; `check_programs` is for tools that want to know before.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from marine_runtime.config.model import MountedBinary, ServiceConfig
from marine_runtime.errors import ConfigError
from marine_runtime.texts.messages import listed, os_reason, suggestion


def prepare(config: ServiceConfig, modules: Sequence[str]) -> None:
    """Prepare the host for a service of these modules.

    Raises:
        ConfigError: the configuration is for a module that the service does not have, or a directory can't be made.
    """
    for name in config.modules:
        if name not in modules:
            hint = suggestion(name, modules)
            raise ConfigError(
                f"the configuration has settings of module `{name}`{hint} (modules are: {listed(modules)})"
            )
    for name, module in config.modules.items():
        for alias, path in module.mapped_dirs.items():
            try:
                os.makedirs(path, exist_ok=True)
            except OSError as error:
                reason = os_reason(error)
                raise ConfigError(
                    f"module `{name}`: the directory `{path}`, mapped as `{alias}`, can't be created: {reason}"
                ) from None


def check_programs(config: ServiceConfig, functions: Collection[str | tuple[str, str]] = ()) -> None:
    """Check that all mounted programs exist and can be run.

    A host function takes precedence over a program of its name, which then need not exist. `functions` has the
    embedder's, by name; one that stands for a single namespace replaces no program.

    Raises:
        ConfigError: one does not exist, or can't be run.
    """
    for name, module in config.modules.items():
        for program, item in module.mounted_binaries.items():
            path = item.path if isinstance(item, MountedBinary) else item
            if program not in functions and (problem := _unusable(path)):
                raise ConfigError(f"module `{name}`: the program `{path}`, mounted as `{program}`, {problem}")


def _unusable(path: str) -> str:
    """The reason why a program can't be run; empty when there is none."""
    if os.path.isdir(path):
        return "is a directory"
    if not os.path.isfile(path):
        return "does not exist"
    return "" if os.access(path, os.X_OK) else "is not executable"
