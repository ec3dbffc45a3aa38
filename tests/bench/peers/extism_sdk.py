"""Extism's Python SDK with a plug-in of our own (guests/extism_plugin.c)."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from marine_gen.bench.machine import installed_version
from tests.bench.fresh import run_fresh
from tests.bench.model import Case
from tests.bench.peers.base import Contender, NotMeasuredError, contender, no_result
from tests.bench.peers.engines import scratch_folder

PLUGIN = Path(__file__).parents[1] / "guests" / "extism_plugin.wasm"
CACHE_VARIABLE = "EXTISM_CACHE_CONFIG"
_FUNCTIONS = {"greeting": "greet", "string": "echo", "bytes": "echo"}


def open_plugin() -> Any:
    """The call method of a new plug-in.

    Raises:
        NotMeasuredError: the package is not installed.
    """
    try:
        import extism  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise NotMeasuredError("the package `extism` is not installed; `make bench` installs it") from error
    return extism.Plugin(PLUGIN.read_bytes()).call


@dataclass(frozen=True, slots=True)
class Extism:
    """A plug-in with functions over strings and bytes."""

    name: str = "Extism"

    @property
    def about(self) -> str:
        """What it is."""
        versions = f"extism {installed_version('extism')}, extism-sys {installed_version('extism-sys')}"
        return f"Extism's Python SDK ({versions}) with a plug-in that does the same work"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        function = _FUNCTIONS.get(case.work.shape)
        if case.crossing:
            raise NotMeasuredError("plug-ins do not call each other but through the host")
        if function is None:
            made = "a plug-in takes and gives bytes only" if case.work.shape else "no plug-in was made for this"
            raise NotMeasuredError(made)
        if case.kind in ("first call", "memory"):
            _set_cache(stack, _cache_settings(stack))
            open_plugin()  # says what is missing, and compiles: a built directory of ours is compiled too
            return run_fresh(case, "extism", {})
        if case.kind in ("cold load", "warm load"):
            _set_cache(stack, "" if case.kind == "cold load" else _cache_settings(stack))
            return contender(partial(no_result, open_plugin))
        _set_cache(stack, "")
        if case.kind != "call":
            raise NotMeasuredError(f"has nothing like this ({case.kind})")
        (argument,) = case.work.arguments
        # What comes back is bytes; a program that wants a string decodes it.
        convert = bytes.decode if isinstance(argument, str) else bytes
        return contender(partial(_call, open_plugin(), function, argument, convert))


def _cache_settings(stack: ExitStack) -> str:
    """A settings file for a cache of compiled code that is gone when the stack closes."""
    folder = scratch_folder(stack)
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


def _call(call: Any, function: str, argument: str | bytes, convert: Any) -> Any:
    return convert(call(function, argument))
