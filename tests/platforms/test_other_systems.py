"""Systems that are not at hand, as far as this one can play them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from marine_runtime.wasm.machine_code import machine_code
from tests.support.paths import ROOT

WITHOUT_POSIX = """
import importlib, pathlib, sys
import asyncio, multiprocessing.pool, subprocess, tempfile, signal, socket, ssl, selectors, prompt_toolkit, uvicorn
import numpy, wasmtime, httptools, rich.console, click, jinja2, lark, platformdirs, httpx, prometheus_client
import mmap, os, sysconfig
sysconfig.get_config_vars()
for name in [name for name in dir(mmap) if name.startswith(("PROT_", "MAP_", "MADV_"))]:
    delattr(mmap, name)
for name in ("register_at_fork", "sched_getaffinity", "fork", "getuid", "posix_spawn", "pidfd_open"):
    delattr(os, name)
for name in ("resource", "fcntl", "posix", "termios", "pwd", "grp"):
    sys.modules[name] = None
sys.platform = "win32"
for package, folder in (("marine_runtime", ROOT / "runtime"), ("marine_gen", ROOT)):
    for path in sorted((folder / package).rglob("*.py")):
        name = ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        if path.name != "__main__.py" and not {"ray", "hatch", "packages"} & set(name.split(".")):
            importlib.import_module(name)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="takes away what Linux has")
def test_every_module_is_imported_without_posix() -> None:
    program = f"import pathlib\nROOT = pathlib.Path({str(ROOT)!r})\n{WITHOUT_POSIX}"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("system", "processor", "there"),
    [
        ("linux", "x86_64", True),
        ("linux", "aarch64", True),
        ("linux", "riscv64", False),
        ("darwin", "arm64", False),
        ("win32", "AMD64", False),
    ],
)
def test_machine_code(monkeypatch: pytest.MonkeyPatch, system: str, processor: str, there: bool) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("marine_runtime.wasm.machine_code.machine", lambda: processor)
    found = machine_code()
    assert (found is not None) == there
    assert found is None or max(map(len, (found.ask, found.grow, found.create))) <= 128


def test_the_page_names_every_system() -> None:
    page = Path(ROOT, "docs", "platforms.md").read_text(encoding="utf-8")
    assert all(name in page for name in ("Linux x86-64", "Linux aarch64", "macOS", "Windows"))
