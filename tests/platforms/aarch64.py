"""A part of the suite on Linux aarch64, on whatever machine this is: Debian's Python for it, run by QEMU.

    python -m tests.platforms.aarch64 [arguments of pytest]

Python, its C library and QEMU are Debian's packages, unpacked into `.venv-aarch64`; the packages of Python come with
wheels for that processor. Nothing is installed. Programs that a test starts would not find QEMU, so what runs here
needs none. Where `ziglang` is installed, some run with the optional extension, out of its wheel for that processor. The
exit code is pytest's; 3 when the machine can't do it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.support.debian import UnavailableError, run, unpack_packages
from tests.support.paths import ROOT
from tests.support.pytests import own_root

FOLDER = ROOT / ".venv-aarch64"
RELEASE, PYTHON = "bookworm", "3.11"
_LONGEST = 1_800  # seconds; nothing may hang

PACKAGES = (
    "wasmtime", "pytest>=8.4", "hypothesis", "lark", "jinja2", "click>=8.2", "rich", "platformdirs", "prompt_toolkit",
    "numpy",
)  # fmt: skip
"""Packages that the tests import."""

TESTS = (
    "tests/runtime/wasm/test_memory_creator.py",
    "tests/runtime/wasm/test_budget.py",
    "tests/runtime/wasm/test_binding.py",
    "tests/runtime/wasm/test_covered.py",
    "tests/runtime/wasm/test_unraisable.py",
    "tests/runtime/calls/test_limits.py",
    "tests/runtime/wasi/test_functions.py",
    "tests/engines/test_instructions.py",
)
"""Things that differ from processor to processor: machine code, layouts, callbacks, budgets, time limits."""

WITH_EXTENSION = (
    "tests/speedups/test_calls_in_c.py",
    "tests/runtime/wasm/test_memory_creator.py",
    "tests/runtime/wasm/test_budget.py",
)
"""The calls that the extension makes, and the memories: it has their callbacks."""

EXTENSION_TAG = "manylinux_2_17_aarch64"

LEFT_OUT = ("--deselect=tests/runtime/wasm/test_budget.py::test_large_records_are_given_back",)
"""A third of the time, for megabytes that the interpreter of adapters moves."""


def install() -> None:
    """Unpack what is not there.

    Raises:
        UnavailableError: this machine can't.
    """
    stamp = FOLDER / ".installed"
    if stamp.exists() and stamp.stat().st_mtime >= Path(__file__).stat().st_mtime:
        return
    FOLDER.mkdir(exist_ok=True)
    for name, packages, architecture in (
        ("python", [f"python{PYTHON}"], "arm64"),
        ("qemu", ["qemu-user-static"], None),
    ):
        with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=FOLDER) as scratch:
            (FOLDER / name).mkdir(exist_ok=True)
            unpack_packages(packages, FOLDER / name, Path(scratch), release=RELEASE, architecture=architecture)
    wheels = ["--platform=manylinux_2_28_aarch64", "--platform=manylinux_2_17_aarch64", "--only-binary=:all:"]
    wheels += [f"--python-version={PYTHON}", "--implementation=cp", "--platform=manylinux2014_aarch64", "--upgrade"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, "--target", str(FOLDER / "site"), *wheels, *PACKAGES], ROOT)
    stamp.touch()


def extension() -> Path | None:
    """A folder to import the extension from; None where nothing builds it."""
    if find_spec("ziglang") is None:
        return None
    folder = FOLDER / "speedups"
    with tempfile.TemporaryDirectory(prefix=".built-", dir=FOLDER) as scratch:
        source = ROOT / "runtime" / "speedups" / "wheels.py"
        run([sys.executable, str(source), "--tag", EXTENSION_TAG, scratch], ROOT)
        for wheel in Path(scratch).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
    return folder


def command() -> list[str]:
    """The words that start the interpreter."""
    root = FOLDER / "python"
    return [str(FOLDER / "qemu/usr/bin/qemu-aarch64-static"), "-L", str(root), str(root / f"usr/bin/python{PYTHON}")]


def main(arguments: Sequence[str]) -> int:
    """Run the tests; gives the exit code."""
    try:
        install()
    except UnavailableError as error:
        print(f"no aarch64: {error}", file=sys.stderr)
        return 3
    if any(item.startswith("tests") for item in arguments):
        return pytest(arguments)
    code = pytest([*TESTS, *LEFT_OUT, *arguments])
    folder = extension()
    if folder is None:
        print("aarch64: without ziglang, no test runs with the extension", file=sys.stderr)
        return code
    return pytest([*WITH_EXTENSION, *LEFT_OUT, *arguments], folder) or code


def pytest(arguments: Sequence[str], *folders: Path) -> int:
    """Run pytest, which imports from `folders` first; gives the exit code."""
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (*folders, FOLDER / "site", ROOT, ROOT / "runtime"))),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    words = [*command(), "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    try:
        with own_root() as root:
            environment = {**variables, **root}
            return subprocess.run(words, cwd=ROOT, env=environment, timeout=_LONGEST, check=False).returncode
    except subprocess.TimeoutExpired:
        print(f"aarch64: not over after {_LONGEST} s", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
