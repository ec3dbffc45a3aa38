"""Options that limit what a service may use, and the statistics of what it used.

A number that can't be a limit is wrong usage. A limit that a service reaches is a failure like any other, and is
reported as one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from marine_gen.cli.numbers import MAX_FUEL, Count, NumberType, Seconds
from marine_gen.console.inputs import InputKind, kind_of
from marine_gen.console.report import clean, say

if TYPE_CHECKING:
    from marine_runtime import LoadOptions, Service, ServiceConfig

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


class _Size(NumberType):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | int:
        """A size as in configurations; unlimited is infinite here, as None means that the option was not given."""
        from marine_runtime import ConfigError, parse_size

        try:
            size = parse_size(value, "the size")
        except ConfigError as error:
            self.fail(str(error), param, ctx)
        return math.inf if size is None else size


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits from the command line; None means no limit.

    Attributes:
        timeout: seconds for each call, and for loading.
        fuel: units of fuel for each call, and for loading.
        memory: bytes for all modules together; infinite for no limit, whatever the target says.
    """

    timeout: float | None
    fuel: int | None
    memory: float | int | None

    def options(self, target: Path) -> LoadOptions:
        """The arguments of `load` for `target`.

        Raises:
            MarineError: the memory limit changes the target's settings, and these can't be read.
        """
        config = None if self.memory is None else _settings(target, self.memory)
        return {"timeout": self.timeout, "fuel": self.fuel, "config": config}

    def to_json(self) -> dict[str, Any]:
        """Those that were asked for, by the names of their options; no memory limit is a text, as in configurations."""
        memory = "Infinity" if self.memory == math.inf else self.memory
        named = {"timeout": self.timeout, "fuel": self.fuel, "memory_limit": memory}
        return {name: value for name, value in named.items() if value is not None}


def limit_options(function: _Decorated) -> _Decorated:
    """`--timeout`, `--fuel` and `--memory-limit`, passed on as `timeout`, `fuel` and `memory_limit`."""
    for option in (
        click.option(
            "--memory-limit",
            type=_Size(),
            metavar="SIZE",
            help='Memory limit of all modules together, such as "10 MiB"; overrides that of the target.',
        ),
        click.option(
            "--fuel",
            type=Count(1, MAX_FUEL),
            metavar="N",
            help="Fuel limit of each call and of loading; a Wasm instruction takes about one unit.",
        ),
        click.option("--timeout", type=Seconds(), metavar="SECONDS", help="Time limit of each call, and of loading."),
    ):
        function = option(function)
    return function


@contextmanager
def reporting(service: Service, *, wanted: bool, as_json: bool) -> Iterator[None]:
    """Show the statistics of `service` on stderr at the end of the block, when they are `wanted`; failed or not."""
    try:
        yield
    finally:
        if wanted:
            found = service.statistics()
            text = json.dumps(found.to_json(), indent=2) if as_json else str(found)
            for line in text.splitlines():
                say(clean(line))


def _settings(target: Path, memory: float | int) -> ServiceConfig:
    """The settings of a target, with another memory limit."""
    from marine_runtime import ServiceConfig, read_config
    from marine_runtime.artifact import read_manifest

    kind = kind_of(target)
    if kind is InputKind.DIRECTORY:
        config = read_manifest(target).config
    else:
        config = read_config(target, limited=True).config if kind is InputKind.CONFIG else ServiceConfig()
    return replace(config, total_memory_limit=None if memory == math.inf else int(memory))
