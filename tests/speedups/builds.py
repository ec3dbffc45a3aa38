"""Builds of the extension for tests: in a folder that it is imported from, by the C compiler of this machine."""

from __future__ import annotations

import os
import runpy
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path

from tests.support.paths import ROOT

SOURCE = ROOT / "runtime" / "speedups"

_WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-cast-function-type")


def compile_extension(
    folder: Path, *flags: str, include: Path | None = None, mutant: tuple[str, str] | None = None
) -> Path:
    """Compile the extension into `folder`, every warning an error; gives `folder`.

    Args:
        folder: gets the package; it exists.
        flags: further ones of the compiler.
        include: the folder with `Python.h`, when it is not that of this Python.
        mutant: a text that is in the source once, and what takes its place.

    Raises:
        AssertionError: it can't be compiled.
    """
    package = folder / "marine_speedups"
    shutil.copytree(SOURCE / "marine_speedups", package, dirs_exist_ok=True)
    source = folder / "src"
    shutil.copytree(SOURCE / "src", source, dirs_exist_ok=True)
    if mutant is not None:
        changed = [path for path in source.iterdir() if path.read_text("utf-8").count(mutant[0]) == 1]
        assert len(changed) == 1, f"`{mutant[0]}` is not in the source once"
        changed[0].write_text(changed[0].read_text("utf-8").replace(*mutant), "utf-8")
    chosen = runpy.run_path(str(SOURCE / "wheels.py"))["compiler"]()
    compiler = shlex.split(chosen.get("CC") or os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    command = [*compiler, "-std=c11", "-O1", "-fPIC", "-shared", *_WARNINGS, *flags]
    command += ["-I", str(include or sysconfig.get_path("include")), *map(str, sorted(source.glob("*.c")))]
    done = subprocess.run(
        [*command, "-o", str(package / "_native.abi3.so")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder
