"""Extism's Python SDK with a plug-in of our own (guests/extism_plugin.c), and plug-ins that hand on to another one.

Plug-ins reach each other through a host function, which calls the next one and copies what it gives.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import wasmtime

from marine_gen.bench.machine import installed_version
from tests.bench.fresh import run_fresh
from tests.bench.model import Case
from tests.bench.peers.base import Contender, NotMeasuredError, contender, no_result

PLUGIN = Path(__file__).parents[1] / "guests" / "extism_plugin.wasm"
CACHE_VARIABLE = "EXTISM_CACHE_CONFIG"
_FUNCTIONS = {"greeting": "greet", "string": "echo", "bytes": "echo", "chain": "echo"}

# Its input and output are the blocks that came from the host and go back there: nothing is copied inside.
_FORWARD = bytes(
    wasmtime.wat2wasm("""(module
  (import "extism:host/env" "input_offset" (func $input (result i64)))
  (import "extism:host/env" "length" (func $length (param i64) (result i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (import "extism:host/user" "next" (func $next (param i64) (result i64)))
  (func (export "echo") (result i32) (local $given i64)
    (local.set $given (call $next (call $input)))
    (call $output (local.get $given) (call $length (local.get $given)))
    (i32.const 0)))""")
)


def open_call(shape: str, length: int) -> Callable[[str | bytes], bytes]:
    """The function for a shape, of the last of so many new plug-ins: each hands on to the one before.

    Raises:
        NotMeasuredError: the package is not installed.
    """
    extism = _sdk()
    call = partial(extism.Plugin(PLUGIN.read_bytes(), functions=[]).call, _FUNCTIONS[shape])
    for _ in range(1, length):
        call = partial(extism.Plugin(_FORWARD, functions=[_next_function()]).call, "echo", host_context=call)
    return call


def _sdk() -> Any:
    try:
        import extism  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise NotMeasuredError("the package `extism` is not installed; `make bench` installs it") from error
    return extism


@cache
def _next_function() -> Any:
    """The host function that calls the next plug-in; one for all, as the SDK keeps every host function for ever."""

    def call_next(plugin: Any, inputs: Any, outputs: Any) -> None:
        plugin.return_bytes(outputs[0], plugin.host_context()(plugin.input_bytes(inputs[0])))

    extism = _sdk()
    block = [extism.ValType.I64]
    return extism.host_fn(name="next", signature=(block, block))(call_next)


@dataclass(frozen=True, slots=True)
class Extism:
    """A plug-in with functions over strings and bytes, alone or behind others."""

    name: str = "Extism"

    @property
    def about(self) -> str:
        """The description for the report."""
        versions = f"extism {installed_version('extism')}, extism-sys {installed_version('extism-sys')}"
        return f"Extism's Python SDK ({versions}) with a plug-in that does the same work"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        if case.crossing:
            raise NotMeasuredError("plug-ins do not call each other but through the host, as in the chain")
        if case.work.shape not in _FUNCTIONS:
            made = "a plug-in takes and gives bytes only" if case.work.shape else "no plug-in was made for this"
            raise NotMeasuredError(made)
        opener = partial(open_call, case.work.shape, len(case.work.modules))
        if case.kind in ("first call", "memory"):
            _set_cache(stack, _cache_settings(stack))
            opener()  # says what is missing, and compiles: a built directory of ours is compiled too
            return run_fresh(case, "extism", {})
        if case.kind in ("cold load", "warm load"):
            _set_cache(stack, "" if case.kind == "cold load" else _cache_settings(stack))
            return contender(partial(no_result, opener))
        _set_cache(stack, "")
        if case.kind != "call":
            raise NotMeasuredError(f"has nothing like this ({case.kind})")
        (argument,) = case.work.arguments
        # What comes back is bytes; a program that wants a string decodes it.
        convert = bytes.decode if isinstance(argument, str) else bytes
        return contender(partial(_call, opener(), argument, convert))


def _cache_settings(stack: ExitStack) -> str:
    """A settings file for a cache of compiled code that is gone when the stack closes."""
    # A thread of the SDK may still write there when the folder goes.
    folder = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
    settings = folder / "cache.toml"
    settings.write_text(f'[cache]\ndirectory = "{folder / "code"}"\n')
    return str(settings)


def _set_cache(stack: ExitStack, settings: str) -> None:
    """Name the settings of Extism's cache for a while; an empty name switches it off."""
    before = os.environ.get(CACHE_VARIABLE)
    os.environ[CACHE_VARIABLE] = settings
    if before is None:
        stack.callback(os.environ.pop, CACHE_VARIABLE)
    else:
        stack.callback(os.environ.__setitem__, CACHE_VARIABLE, before)


def _call(call: Any, argument: str | bytes, convert: Any) -> Any:
    return convert(call(argument))
