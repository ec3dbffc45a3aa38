"""A Rust toolchain with a standard library for WASI, for the tests: the machine's own, or one from Debian's packages.

`make rust-toolchain` runs this. It does nothing where cargo has the target already. Elsewhere it unpacks packages of
one Debian release into a folder, in which compiler and standard library are of one version; nothing is installed, so it
needs no rights. The programs run with the C library that they were built for. The machine's C compiler links build
scripts and procedural macros.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from marine_gen.guest.rust import CargoError, find_toolchain
from tests.support.debian import UnavailableError, unpack_packages
from tests.support.paths import ROOT

FOLDER = ROOT / ".venv-rust"
"""The folder of the unpacked toolchain, and of everything that cargo downloads and builds in tests."""

RELEASE = os.environ.get("MARINE_GEN_RUST_RELEASE", "trixie")
"""The Debian release; its Rust is new enough for `wasm32-wasip1` and the features of WebAssembly that come with it."""

PACKAGES = ("rustc", "cargo", "libstd-rust-dev-wasm32", "lld")
LEFT_OUT = re.compile(r"(gcc|cpp|binutils|lib\w+san|linux-libc|libc6-dev|libgprofng|libgcc-\d+-dev)")
"""Packages that only link programs on a Debian of that release; the tests link with the compiler of the machine."""


def environment() -> Mapping[str, str]:
    """The environment in which `cargo` builds modules, without installing anything.

    Raises:
        UnavailableError: there is no toolchain yet.
    """
    shared = {
        **os.environ,
        "CARGO_TARGET_DIR": str(FOLDER / "target"),
        "CARGO_TERM_COLOR": "never",
        "CARGO_BUILD_JOBS": os.environ.get("CARGO_BUILD_JOBS", "2"),
        "CARGO_INCREMENTAL": "0",
        # No file pins what the SDK depends on, so versions have to be those that the compiler can take.
        "CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS": "fallback",
    }
    programs = FOLDER / "bin"
    if (programs / "cargo").exists():
        return {
            **shared,
            "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
            "CARGO": str(programs / "cargo"),
            "RUSTC": str(programs / "rustc"),
            "CARGO_HOME": str(FOLDER / "home"),
            "CARGO_TARGET_WASM32_WASIP1_LINKER": str(programs / "rust-lld"),
            "CARGO_TARGET_WASM32_WASI_LINKER": str(programs / "rust-lld"),
        }
    try:
        find_toolchain(Path.cwd())
    except CargoError as error:
        raise UnavailableError(f"{error}; or run `make rust-toolchain`") from None
    return shared


def install() -> None:
    """Unpack a toolchain into `FOLDER`.

    Raises:
        UnavailableError: this machine has no Debian packages, or no C compiler.
    """
    if shutil.which("cc") is None:
        raise UnavailableError("there is no `cc`, which links a toolchain of Debian's packages")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=FOLDER) as scratch:
        root = Path(scratch, "root")
        root.mkdir()
        _unpack(Path(scratch), root)
        shutil.rmtree(FOLDER / "root", ignore_errors=True)
        root.rename(FOLDER / "root")
    _write_programs(FOLDER / "root", FOLDER / "bin")


def _unpack(scratch: Path, root: Path) -> None:
    """Download the packages and all that they depend on, as if nothing was installed."""
    unpack_packages(PACKAGES, root, scratch, release=RELEASE, left_out=LEFT_OUT)
    for folder in ("usr/share", "usr/lib/rustlib/wasm32-unknown-unknown", "usr/lib/rustlib/wasm32-wasip2"):
        shutil.rmtree(root / folder, ignore_errors=True)  # half of it all, and not used


def _write_programs(root: Path, folder: Path) -> None:
    """Commands that run the unpacked programs with the C library beside them."""
    folders = [path for where in ("usr/lib/*-linux-gnu", "lib/*-linux-gnu") for path in root.glob(where)]
    loader = next(path for folder in folders for path in folder.glob("ld-linux-*.so.*"))
    libraries = ":".join(map(str, [*folders, *root.glob("usr/lib/llvm-*/lib")]))
    (lld,) = root.glob("usr/lib/llvm-*/bin/lld")
    folder.mkdir(exist_ok=True)
    for name, program in {"rustc": root / "usr/bin/rustc", "cargo": root / "usr/bin/cargo", "rust-lld": lld}.items():
        command = folder / name
        # Older compilers look for their libraries beside the loader.
        own = f"--sysroot {root / 'usr'}" if name == "rustc" else ""
        options = f"--library-path {libraries} --argv0 {program if name != 'rust-lld' else name}"
        command.write_text(f'#!/bin/sh\nexec {loader} {options} {program} {own} "$@"\n')
        command.chmod(0o755)


def main() -> None:
    """Install what is not there."""
    try:
        environment()
    except UnavailableError:
        pass
    else:
        print("the Rust toolchain is there")
        return
    try:
        install()
    except UnavailableError as error:
        sys.exit(f"no Rust toolchain: {error}")
    print(f"unpacked a Rust toolchain into {FOLDER}")


if __name__ == "__main__":
    main()
