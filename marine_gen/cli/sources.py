"""Targets of commands that make something of a whole service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from marine_gen.artifact import Source


def read_source(targets: Sequence[Path], *, strict: bool = False) -> Source:
    """The service that a configuration describes, or that one or more Wasm modules are, in load order.

    With `strict` a configuration that would be warned of is refused.

    Raises:
        UsageError: a configuration is not alone; ConfigError: two modules have one name; LoadError: a file can't be
            read.
    """
    from marine_gen.artifact import read_target, read_wasm_files
    from marine_runtime import ConfigError

    if len(targets) == 1:
        return read_target(targets[0], strict=strict)
    for target in targets:
        if target.suffix.lower() == ".toml":
            raise click.UsageError("give one service configuration, or several Wasm modules")
    stems = [target.stem for target in targets]
    for stem in stems:
        if stems.count(stem) > 1:
            raise ConfigError(f"two modules are named `{stem}`: name them in a service configuration")
    return read_wasm_files(targets)
