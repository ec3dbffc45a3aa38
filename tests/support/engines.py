"""Every way of running a service, and results of calls in a form that can be compared between them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import wasmtime

import marine_gen
from marine_gen.artifact import ENGINES
from marine_gen.binary import embed
from marine_gen.interfaces import Interfaces
from marine_gen.text import parse
from marine_gen.wasm import embed_sdk_version
from marine_runtime import PythonModule, Service
from marine_runtime.errors import CallError
from marine_runtime.host.resolve import HostFunctions
from tests.guests.descriptions import BENCH_FOLDER, EXAMPLE_FOLDER, GUESTS, GUESTS_FOLDER, HOSTILE_FOLDER

SDK_VERSION = "0.14.0"

Modules = Mapping[str, bytes | PythonModule]
"""Wasm binaries, or modules in Python, by module name, in load order."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """An engine over a call layer."""

    engine: str
    call_layer: str = "fast"

    def __str__(self) -> str:
        return f"{self.engine}-{self.call_layer}"


CONFIGURATIONS = (
    *(Configuration(engine) for engine in ENGINES),
    *(Configuration(engine, "public") for engine in ("interpreter", "closures")),
)
"""The tier of adapters: everything that must behave alike. The first is the default engine.

Tests of what an engine does take it: values that are lifted and lowered, calls between modules, errors with their
places, limits that end running code, recorded calls.
"""

OFTEN = (CONFIGURATIONS[0], Configuration("closures"), Configuration("interpreter", "public"))
"""Those of the first tier that run every time: each engine and each call layer. The long run takes the others too."""

HOST_SIDE = (Configuration("fused"), Configuration("interpreter", "public"))
"""The tier of the host side: the two engines that differ most, and both call layers.

Tests of what no engine touches take it, by `pytest.mark.host_side`: WASI, the logger, mounted binaries, call
parameters, types and namespaces of host functions, configurations, the memory budget, pools, sessions, the example.
"""


def load(
    modules: Modules,
    engine: str,
    call_layer: str = "fast",
    host_functions: HostFunctions | None = None,
    **options: Any,
) -> Service:
    """A running service."""
    return marine_gen.load(
        dict(modules), engine=engine, call_layer=call_layer, host_functions=host_functions, **options
    )


def assemble(wat: str, adapters: Interfaces | str) -> bytes:
    """A module out of Wasm text and its adapters (or their text)."""
    interfaces = parse(adapters) if isinstance(adapters, str) else adapters
    return embed_sdk_version(embed(bytes(wasmtime.wat2wasm(wat)), interfaces), SDK_VERSION)


@cache
def guest(name: str) -> bytes:
    """A guest of tests/guests or of the example, hostile ones included."""
    if (HOSTILE_FOLDER / f"{name}.wat").is_file():
        texts = [(HOSTILE_FOLDER / f"{name}.{suffix}").read_text("utf-8") for suffix in ("wat", "it")]
        return assemble(*texts)
    folder = next(item.folder for item in GUESTS if item.name == name)
    assert folder in (GUESTS_FOLDER, EXAMPLE_FOLDER, BENCH_FOLDER)
    return (folder / f"{name}.wasm").read_bytes()


def guests(*names: str) -> dict[str, bytes]:
    """Guests by name, in load order."""
    return {name: guest(name) for name in names}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a call: the value that it returned, or the error that it raised.

    Attributes:
        value: the normalised value as `repr` writes it; empty when there was an error.
        error: class and text of the error and of its causes, outermost first.
        sites: where in the adapters each of them happened.
    """

    value: str = ""
    error: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()


def normalised(value: Any) -> Any:
    """`value` with records as tuples. NaN has one `repr`, and -0.0, 0 and False have different ones."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return tuple(normalised(getattr(value, field.name)) for field in dataclasses.fields(value))
    if isinstance(value, (list, tuple)):
        return type(value)(map(normalised, value))
    return value


def shown(value: Any) -> str:
    """The text by which `Outcome` compares values."""
    return repr(normalised(value))


def outcome(call: Callable[[], Any]) -> Outcome:
    """Make a call and keep what came of it."""
    try:
        return Outcome(shown(call()))
    except Exception as error:
        return failure(error)


def failure(error: BaseException) -> Outcome:
    """An error with the chain of its causes."""
    chain: list[BaseException] = []
    step: BaseException | None = error
    while step is not None:
        chain.append(step)
        step = step.__cause__
    sites = [str(item.site) for item in chain if isinstance(item, CallError)]
    return Outcome("", tuple(f"{type(item).__name__}: {item}" for item in chain), tuple(sites))
