"""`marine-gen doctor`: the state of this installation, as a bug report needs it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum

import click

from marine_gen._version import __version__
from marine_gen.cli.options import examples
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.output import human_size, write_json, write_table


class State(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    state: State
    detail: str


@click.command(
    "doctor",
    cls=StrictCommand,
    short_help="Check the installation.",
    epilog=examples("marine-gen doctor", "marine-gen doctor --json"),
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check the installation: versions, call layers (by trying them), engines, cache, environment.

    Exit code 1 means that something is broken. A warning concerns speed or precision only.
    """
    checks = [
        check
        for look in (_versions, _libraries, _layers, _speedups, _engines, _cache, _variables, _ray)
        for check in _guarded(look)
    ]
    if as_json:
        write_json([asdict(check) for check in checks])
    else:
        write_table(("check", "state", "detail"), [(check.name, check.state.value, check.detail) for check in checks])
    if any(check.state is State.BROKEN for check in checks):
        ctx.exit(1)


def _guarded(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of `look`; its failure is a finding too."""
    try:
        yield from look()
    except Exception as error:
        yield Finding(look.__name__.strip("_"), State.BROKEN, f"{type(error).__name__}: {error}")


def _versions() -> Iterator[Finding]:
    from marine_gen.bench.machine import describe_machine
    from marine_runtime import __version__ as runtime

    machine = describe_machine()
    yield Finding("machine", State.OK, f"{machine.cpu}, {machine.cores} cores, {machine.system}")
    yield Finding("python", State.OK, machine.python)
    yield Finding("marine-gen", State.OK, machine.marine_gen)
    same = runtime == __version__
    advice = "" if same else f"; the compiler has {__version__}: install both in the same version"
    yield Finding("marine-runtime", State.OK if same else State.BROKEN, runtime + advice)
    missing = machine.wasmtime == "not installed"
    yield Finding("wasmtime", State.BROKEN if missing else State.OK, machine.wasmtime)


_LIBRARIES = ("lark", "jinja2", "click", "rich", "uvicorn", "httptools", "httpx", "ziglang", "numpy")
"""Libraries of the compiler and of its extras, and one whose values calls accept."""


def _libraries() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    yield Finding("libraries", State.OK, ", ".join(found))


def _variables() -> Iterator[Finding]:
    """Names alone: a value may be private."""
    names = sorted(name for name in os.environ if name.startswith(("MARINE_", "WASM_LOG", "PYTHON")))
    yield Finding("environment", State.OK, ", ".join(names) or "none of MARINE_*, WASM_LOG and PYTHON*")


def _layers() -> Iterator[Finding]:
    from marine_gen.cli.probe import probe
    from marine_runtime.wasm import open_runtime

    runtime = open_runtime()
    reason = runtime.fallback_reason
    detail = f"{runtime.name} layer" + (f", because the fast one can't be used: {reason}" if reason else "")
    yield Finding("calls", State.WARNING if reason else State.OK, detail)
    limits = runtime.budget_problem
    detail = f"hold for each memory alone: {limits}" if limits else "hold for all memories of a service together"
    yield Finding("memory limits", State.WARNING if limits else State.OK, detail)
    for layer in ("fast", "public"):
        if layer == "fast" and reason:
            continue
        problem = probe(layer)
        detail = problem or "calls, callbacks, memory, exceptions and traps work"
        yield Finding(f"{layer} layer", State.BROKEN if problem else State.OK, detail)


def _speedups() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    from marine_runtime.wasm import speedups_problem, speedups_turned_off

    try:
        found = version("marine-speedups")
    except PackageNotFoundError:
        yield Finding("speedups", State.OK, "absent; calls in C need `marine-gen[speed]`")
        return
    reason = speedups_problem()
    detail = "on" if reason is None else f"off, because {reason}"
    yield Finding(
        "speedups", State.OK if reason is None or speedups_turned_off() else State.WARNING, f"{found}, {detail}"
    )


def _engines() -> Iterator[Finding]:
    from marine_gen.artifact import ENGINES

    yield Finding("engines", State.OK, f"{', '.join(ENGINES)} (the first one is the default)")


def _cache() -> Iterator[Finding]:
    from marine_gen.artifact import cache_directory, cache_entries
    from marine_gen.cli.commands.cache import directory_size
    from marine_runtime.artifact import cache_problem

    directory = cache_directory()
    if directory is None:
        yield Finding("cache", State.WARNING, cache_problem())
        return
    entries = cache_entries()
    size = human_size(sum(map(directory_size, entries)))
    if os.access(directory, os.W_OK):
        yield Finding("cache", State.OK, f"{directory}, {len(entries)} services, {size}")
    else:
        yield Finding("cache", State.WARNING, f"{directory} is not writable; what is there is used ({size})")


def _ray() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    from marine_runtime.ray import TRIED

    tried = f"tried with {', '.join(TRIED)}"
    try:
        found = version("ray")
    except PackageNotFoundError:
        yield Finding("ray", State.OK, f"not installed; pools on clusters need `marine-gen[ray]`, {tried}")
        return
    yield Finding("ray", State.OK if found in TRIED else State.WARNING, f"{found}, {tried}")
