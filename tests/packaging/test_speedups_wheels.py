"""The distributions of the extension: what is in them, what they need of a machine, and that they run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from email import message_from_string
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.speedups.builds import SOURCE
from tests.support.debian import UnavailableError, unpack_packages
from tests.support.paths import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ziglang") is None, reason="wheels for other machines are made by ziglang"),
]

MACHINES = {
    "manylinux_2_17_x86_64": "X86-64",
    "manylinux_2_17_aarch64": "AArch64",
    "musllinux_1_2_x86_64": "X86-64",
    "musllinux_1_2_aarch64": "AArch64",
}
"""The tags of the wheels, and what `readelf` calls the processor."""

OF_C = {"memchr", "memcpy", "memmove", "memset", "strchr", "strlen"}
"""Functions that every C library has; nothing else but Python may be missing in a library."""

USE = """
import marine_gen, marine_speedups
with marine_gen.load("tests/guests/greeting.wasm") as service:
    run = service.modules.greeting.greeting
    assert type(run) is marine_speedups.Call, type(run)
    print(run("John"), marine_speedups.__file__)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and all wheels."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, str(SOURCE / "wheels.py"), "--all", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def wheel(made: Path, tag: str) -> Path:
    return made / f"marine_speedups-0.1.0-cp311-abi3-{tag}.whl"


def said(*command: str) -> str:
    """The output of a program, which has to succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def missing_in(library: str) -> set[str]:
    """The symbols that a library wants of others."""
    return set(re.findall(r"\bUND (\w+)$", said("readelf", "--wide", "--dyn-syms", library), re.MULTILINE))


def unpacked(made: Path, tag: str, folder: Path) -> Path:
    """The library in a wheel, which is unpacked into `folder`."""
    with zipfile.ZipFile(wheel(made, tag)) as archive:
        archive.extractall(folder)
    return folder / "marine_speedups" / "_native.abi3.so"


def test_what_is_made(made: Path) -> None:
    names = {path.name for path in made.iterdir()}
    assert names == {"marine_speedups-0.1.0.tar.gz", *(wheel(made, tag).name for tag in MACHINES)}
    with tarfile.open(made / "marine_speedups-0.1.0.tar.gz") as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{path.name}" for path in (SOURCE / "src").iterdir()} <= files
    assert {"LICENSE", "README.md", "setup.py", "marine_speedups/__init__.py", "marine_speedups/py.typed"} <= files
    if find_spec("twine"):
        check = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *map(str, made.iterdir())]
        done = subprocess.run(check, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("tag", MACHINES)
def test_content_and_metadata(made: Path, tag: str) -> None:
    with zipfile.ZipFile(wheel(made, tag)) as archive:
        files = set(archive.namelist())
        package = {name for name in files if name.startswith("marine_speedups/")}
        (info,) = {name.partition("/")[0] for name in files - package}
        described = message_from_string(archive.read(f"{info}/WHEEL").decode())
        metadata = message_from_string(archive.read(f"{info}/METADATA").decode())
    sources = {f"marine_speedups/{path.name}" for path in (SOURCE / "marine_speedups").iterdir() if path.is_file()}
    assert package == sources | {"marine_speedups/_native.abi3.so"}
    assert f"{info}/licenses/LICENSE" in files
    assert (described["Tag"], described["Root-Is-Purelib"]) == (f"cp311-abi3-{tag}", "false")
    assert (metadata["Name"], metadata["License-Expression"]) == ("marine-speedups", "Apache-2.0")
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_all("Requires-Dist") is None
    # The extra of the runtime asks for this very version.
    runtime = (ROOT / "runtime" / "pyproject.toml").read_text("utf-8")
    assert f'speed = ["marine-speedups=={metadata["Version"]}"]' in runtime


@pytest.mark.skipif(shutil.which("readelf") is None, reason="there is no readelf")
@pytest.mark.parametrize("tag", MACHINES)
def test_what_a_library_needs(made: Path, tag: str, tmp_path: Path) -> None:
    """No library, no version of a C library: functions of Python, and some that every C library has."""
    library = str(unpacked(made, tag, tmp_path))
    headers = said("readelf", "--wide", "--file-header", "--dynamic", "--dyn-syms", "--version-info", library)
    assert re.search(rf"Machine: .*{MACHINES[tag]}", headers)
    assert "(NEEDED)" not in headers
    assert "GLIBC" not in headers
    missing = missing_in(library)
    assert "PyModuleDef_Init" in missing
    assert {name for name in missing if not name.startswith(("Py", "_Py"))} <= OF_C
    public = re.findall(r"GLOBAL +DEFAULT +\d+ (\w+)$", headers, re.MULTILINE)
    assert "PyInit__native" in public


def on_x86() -> bool:
    return sys.platform == "linux" and os.uname().machine == "x86_64"


@pytest.mark.skipif(not on_x86(), reason="the wheels are for x86-64")
@pytest.mark.parametrize("tag", [tag for tag in MACHINES if tag.endswith("x86_64")])
def test_a_wheel_of_this_processor_runs(made: Path, tag: str, tmp_path: Path) -> None:
    """Also the one for musl: it needs no C library of its own."""
    unpacked(made, tag, tmp_path)
    path = os.pathsep.join(map(str, (tmp_path, ROOT, ROOT / "runtime")))
    variables = {name: value for name, value in os.environ.items() if name != "MARINE_SPEEDUPS"}
    done = subprocess.run(
        [sys.executable, "-c", USE],
        cwd=ROOT,
        env=variables | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Hi, John {tmp_path / 'marine_speedups' / '__init__.py'}\n"


HOST = """
#include <dlfcn.h>
#include <stdio.h>
STUBS
void *PyModuleDef_Init(void *definition) { return definition; }
int main(int count, char **words) {
    void *library = dlopen(words[1], RTLD_NOW);
    if (!library) return puts(dlerror()), 1;
    void *(*start)(void) = (void *(*)(void))dlsym(library, "PyInit__native");
    return start && start() ? puts("loaded"), 0 : 2;
}
"""
"""A program in the place of Python: it has the symbols of Python that the library wants, and starts the module."""


@pytest.mark.skipif(not on_x86() or shutil.which("readelf") is None, reason="needs x86-64 and readelf")
def test_musl_loads_the_library(made: Path, tmp_path: Path) -> None:
    """Debian has musl, but no Python for it."""
    root = tmp_path / "musl"
    root.mkdir()
    try:
        with tempfile.TemporaryDirectory(dir=tmp_path) as scratch:
            unpack_packages(["musl"], root, Path(scratch), release="bookworm")
    except UnavailableError as error:
        pytest.skip(str(error))
    library = str(unpacked(made, "musllinux_1_2_x86_64", tmp_path / "wheel"))
    stubs = missing_in(library) - OF_C - {"PyModuleDef_Init"}
    source, program = tmp_path / "host.c", tmp_path / "host"
    source.write_text(HOST.replace("STUBS", "\n".join(f"char {name}[64];" for name in sorted(stubs))), "utf-8")
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-linux-musl", "-dynamic", "-rdynamic", "-O1"]
    said(*zig, "-fno-sanitize=all", str(source), "-o", str(program))
    loader = next(path for path in root.rglob("libc.so") if path.parent.name == "x86_64-linux-musl")
    assert said(str(loader), str(program), library) == "loaded\n"
