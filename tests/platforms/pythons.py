"""The test suite on every version of Python that is supported and found here.

    python -m tests.platforms.pythons [--quick] [--only 3.13] [arguments of pytest]

Interpreters are those of the search path, of pyenv and of uv; Debian's packages are asked for what is missing there.
Versions that are not to be had are named. Each gets an environment of its own in `.venv-all`, with what `.[dev]` says.
`--quick` runs a part of the suite, on the oldest and the newest interpreter; the one that runs this is left out, as the
suite itself runs on it. The exit code is 1 when tests fail somewhere.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.platforms import debian_python
from tests.support.debian import UnavailableError
from tests.support.paths import ROOT
from tests.support.pytests import own_root

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
"""Those that have to work, oldest first."""

FOLDER = ROOT / ".venv-all"

QUICK = (
    "tests/runtime/wasm/test_covered.py",
    "tests/runtime/wasm/test_memory_creator.py",
    "tests/runtime/wasm/test_unraisable.py",
    "tests/runtime/calls/test_signals.py",
    "tests/runtime/calls/test_admission.py",
    "tests/runtime/values/test_annotations.py",
    "tests/runtime/host/test_python_modules.py",
    "tests/engines/test_instructions.py",
    "tests/unit/python_backend/test_generated_code.py",
    "tests/runtime/artifact/test_marshalled.py",
    "tests/runtime/artifact/test_bytecode.py",
    "tests/unit/test_layering.py",
)
"""Things that depend on the version most: exception tables, callbacks, generated code, its bytecode, annotations."""

_PROBE = """
import sys, sysconfig
print("%d.%d" % sys.version_info[:2], sys.implementation.name, sysconfig.get_config_var("Py_GIL_DISABLED") or 0)
"""


def candidates(version: str, environment: Mapping[str, str]) -> Iterator[Path]:
    """Files that may be an interpreter of `version`, the likeliest first."""
    for folder in environment.get("PATH", "").split(os.pathsep):
        yield Path(folder, f"python{version}")
    home = Path(environment.get("HOME", "/"))
    pyenv = Path(environment.get("PYENV_ROOT", home / ".pyenv"), "versions")
    uv = Path(environment.get("UV_PYTHON_INSTALL_DIR", home / ".local/share/uv/python"))
    for found in (pyenv.glob(f"{version}.*"), uv.glob(f"cpython-{version}.*")):
        for folder in sorted(found, key=_patch, reverse=True):
            yield folder / "bin" / f"python{version}"


def _patch(folder: Path) -> tuple[int, ...]:
    """The last number of a version in the name of a folder."""
    words = folder.name.removeprefix("cpython-").split("-")[0].split(".")
    return tuple(int(word) for word in words if word.isdigit())


def find(environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """An interpreter for each version that is here."""
    found: dict[str, Path] = {}
    for version in VERSIONS:
        for path in candidates(version, environment):
            if version not in found and is_usable(path, version):
                found[version] = path
    return found


def is_usable(path: Path, version: str) -> bool:
    """True if `path` is CPython of `version`, with a GIL; commands of pyenv fail for versions that are not chosen."""
    if not path.is_file() or not os.access(path, os.X_OK):
        return False
    try:
        done = subprocess.run([str(path), "-c", _PROBE], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.split() == [version, "cpython", "0"]


def environment_of(version: str, interpreter: Path) -> Path:
    """The interpreter of an environment of `version` with everything that development needs, made when it is not there.

    Raises:
        subprocess.CalledProcessError: it can't be made.
    """
    folder = FOLDER / version
    python, stamp = folder / "bin" / "python", folder / ".installed"
    declared = max((ROOT / name).stat().st_mtime for name in ("pyproject.toml", "runtime/pyproject.toml"))
    if not stamp.exists() or stamp.stat().st_mtime < declared:
        shutil.rmtree(folder, ignore_errors=True)
        # Debian's interpreters come without the pip that `venv` copies.
        subprocess.run([str(interpreter), "-m", "venv", "--without-pip", str(folder)], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install"]
        wanted = ["pip", "-e", "./runtime", "-e", ".[dev]"]
        subprocess.run([*pip, "--quiet", *wanted], cwd=ROOT, env=os.environ | {"MARINE_GEN_PUBLISHED": "1"}, check=True)
        stamp.touch()
    return python


def complete(found: Mapping[str, Path]) -> dict[str, Path]:
    """`found` with the versions that Debian has; prints where each comes from, and names those that are missing."""
    all_of_them: dict[str, Path] = {}
    for version in VERSIONS:
        try:
            path = found.get(version) or debian_python.interpreter(version, FOLDER / "debian")
        except UnavailableError as error:
            print(f"Python {version}: missing; install it with pyenv or uv ({error})", flush=True)
        else:
            all_of_them[version] = path
            print(f"Python {version}: {path}", flush=True)
    return all_of_them


def chosen(found: Sequence[str], *, quick: bool) -> list[str]:
    """The versions to run: all, or the oldest and the newest without the one that runs this."""
    if not quick:
        return list(found)
    own = "{}.{}".format(*sys.version_info)
    return [version for version in dict.fromkeys([*found[:1], *found[-1:]]) if version != own]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite on each version; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.platforms.pythons", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a part of the suite, on the oldest and the newest")
    parser.add_argument("--only", action="append", metavar="VERSION", choices=VERSIONS, help="this version")
    options, rest = parser.parse_known_args(arguments)
    found = complete(find())
    if not found:
        print(f"none of Python {', '.join(VERSIONS)} was found", file=sys.stderr)
        return 1
    failed = []
    for version in options.only or chosen(list(found), quick=options.quick):
        if version not in found:
            print(f"Python {version} was asked for and is missing", file=sys.stderr)
            return 1
        print(f"\n== Python {version}", flush=True)
        try:
            python = environment_of(version, found[version])
        except subprocess.CalledProcessError as error:
            print(f"Python {version}: no environment with the packages can be made: {error}", file=sys.stderr)
            failed.append(version)
            continue
        command = [str(python), "-m", "pytest", *(QUICK if options.quick else ()), *rest]
        with own_root() as root:
            done = subprocess.run(command, cwd=ROOT, env={**os.environ, **root}, check=False)
        if done.returncode:
            failed.append(version)
    if failed:
        print(f"tests fail on Python {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
