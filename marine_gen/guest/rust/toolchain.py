"""The Rust toolchain: cargo, rustc, the target for modules, and the command that installs what is missing.

Everything runs in the directory of the crate, so that its `rust-toolchain.toml` and `.cargo/config.toml` count.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from marine_runtime import MarineError
from marine_runtime.texts import os_reason, quoted

TARGETS = ("wasm32-wasip1", "wasm32-wasi")
"""Targets of modules, the preferred one first; toolchains before Rust 1.78 know the second alone."""

_INSTALLERS = {
    "rustup": "rustup default stable",
    "apt-get": "apt-get install cargo libstd-rust-dev-wasm32 rust-llvm",
    "dnf": "dnf install cargo rust-std-static-wasm32-wasip1",
    "pacman": "pacman -S rustup && rustup default stable",
    "brew": "brew install rustup && rustup default stable",
}
"""The command that installs cargo, by the first program of these that the machine has."""

_SYSTEM = Path("/usr")
"""The sysroot of a Rust from packages of the system."""


class CargoError(MarineError):
    """Cargo or rustc is missing, can't be run, or printed something that can't be read."""


class CargoFailedError(CargoError):
    """Cargo failed, and has written the reason to stderr.

    Attributes:
        code: its exit code, that of a shell where a signal ended it.
    """

    def __init__(self, command: str, code: int) -> None:
        self.code = code if code > 0 else 128 - code
        super().__init__(f"`{command}` failed with exit code {self.code}")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The paths of cargo and rustc, and the target that modules are built for."""

    cargo: str
    rustc: str
    target: str

    def environment(self) -> Mapping[str, str]:
        """The variables that cargo runs with: it would look for a relative RUSTC from its own directory."""
        return {**os.environ, "RUSTC": self.rustc} if os.environ.get("RUSTC") else os.environ


def find_toolchain(directory: Path, *, builds_std: bool = False) -> Toolchain:
    """The toolchain that cargo takes in `directory`.

    Args:
        directory: the folder of the crate.
        builds_std: the standard library is built with the crate, so it need not be installed.

    Raises:
        CargoError: something is missing; the message has the command that installs it.
    """
    cargo, rustc = _program("cargo"), _program("rustc")
    listed = _ask(rustc, directory, "--print", "target-list").split()
    known = [target for target in TARGETS if target in listed]
    if not known:
        raise CargoError(f"`{rustc}` has no target for WASI ({' or '.join(TARGETS)}); {_install_cargo()}")
    for target in known:
        if builds_std or _has_std(rustc, directory, target):
            return Toolchain(cargo, rustc, target)
    raise CargoError(
        f"the standard library of Rust for {known[0]} is not installed; run `{_add_target(rustc, directory, known[0])}`"
    )


def missing_linker(toolchain: Toolchain, directory: Path) -> str:
    """The command that installs the linker for modules where Debian's Rust lacks it, which cargo does not say."""
    if shutil.which("rust-lld") or not shutil.which("apt-get"):
        return ""
    return "apt-get install rust-llvm" if _sysroot(toolchain.rustc, directory) == _SYSTEM else ""


def _program(name: str) -> str:
    """`name` on the search path, or what the environment variable of that name says, as for cargo itself."""
    variable = name.upper()
    chosen = os.environ.get(variable)
    if found := shutil.which(chosen or name):
        return os.path.abspath(found)
    if chosen:
        raise CargoError(
            f"{variable} in the environment is {quoted(chosen)}, which is not a program on this machine; "
            f"change it, or unset it to use the `{name}` on the search path"
        )
    raise CargoError(f"there is no `{name}` on this machine; {_install_cargo()}")


def _install_cargo() -> str:
    for program, command in _INSTALLERS.items():
        if shutil.which(program):
            return f"run `{command}`"
    return f"install rustup, the installer of Rust, then run `rustup target add {TARGETS[0]}`"


def _has_std(rustc: str, directory: Path, target: str) -> bool:
    folder = _ask(rustc, directory, "--print", "target-libdir", "--target", target).strip()
    return any(Path(folder).glob("libstd-*.rlib"))


def _add_target(rustc: str, directory: Path, target: str) -> str:
    """The command that installs the standard library for `target`."""
    sysroot = _sysroot(rustc, directory)
    if sysroot.parent.name == "toolchains":
        return f"rustup target add {target} --toolchain {sysroot.name}"
    if sysroot == _SYSTEM and shutil.which("dnf"):
        return f"dnf install rust-std-static-{target}"
    if sysroot == _SYSTEM and shutil.which("apt-get"):
        return "apt-get install libstd-rust-dev-wasm32 rust-llvm"
    return f"rustup target add {target}"


def _sysroot(rustc: str, directory: Path) -> Path:
    return Path(_ask(rustc, directory, "--print", "sysroot").strip())


def _ask(rustc: str, directory: Path, *question: str) -> str:
    return run_for_output([rustc, *question], directory)


def run_for_output(command: Sequence[str], directory: Path, environment: Mapping[str, str] = os.environ) -> str:
    """The stdout of a command; its stderr goes to ours.

    Raises:
        CargoError: it can't be run.
        CargoFailedError: it failed.
    """
    try:
        done = subprocess.run(  # noqa: S603  # cargo or rustc, as the user's environment has them
            command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
        )
    except OSError as error:
        raise CargoError(f"`{command[0]}` can't be run: {os_reason(error)}") from None
    if done.returncode:
        raise CargoFailedError(" ".join([os.path.basename(command[0]), *command[1:2]]), done.returncode)
    return done.stdout.decode(errors="replace")
