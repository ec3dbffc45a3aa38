"""Finding cargo, rustc and the target, and the advice where one is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.rust.stand_in import StandIn

Run = Callable[..., Result]


@pytest.mark.parametrize(
    ("targets", "installed", "target"),
    [
        (["wasm32-wasi"], ["wasm32-wasi"], "wasm32-wasi"),
        (["wasm32-wasi", "wasm32-wasip1"], ["wasm32-wasi"], "wasm32-wasi"),
        (["wasm32-wasi", "wasm32-wasip1"], ["wasm32-wasi", "wasm32-wasip1"], "wasm32-wasip1"),
    ],
)
def test_older_toolchains(run: Run, cargo: StandIn, targets: list[str], installed: list[str], target: str) -> None:
    shutil.rmtree(cargo.folder / "std")
    cargo.save(targets=targets, installed=installed)
    assert run("guest", "build-rust", "ws").exit_code == 0
    assert cargo.asked()[0].startswith(f"--target {target} ")


@pytest.mark.parametrize(
    ("sysroot", "programs", "command"),
    [
        ("/home/x/.rustup/toolchains/1.90-x86", [], "rustup target add wasm32-wasip1 --toolchain 1.90-x86"),
        ("/usr", ["apt-get"], "apt-get install libstd-rust-dev-wasm32 rust-llvm"),
        ("/usr", ["dnf"], "dnf install rust-std-static-wasm32-wasip1"),
        ("/opt/rust", ["apt-get"], "rustup target add wasm32-wasip1"),
    ],
)
def test_a_missing_target(run: Run, cargo: StandIn, sysroot: str, programs: list[str], command: str) -> None:
    shutil.rmtree(cargo.folder / "std")
    cargo.save(installed=(), sysroot=sysroot, programs=["cargo", "rustc", *programs])
    done = run("guest", "build-rust", "ws")
    assert (done.exit_code, done.stderr) == (
        1,
        f"error: the standard library of Rust for wasm32-wasip1 is not installed; run `{command}`\n",
    )
    assert cargo.asked() == []
    assert run("guest", "build-rust", "ws", "--", "-Zbuild-std").exit_code == 0
    assert run("guest", "build-rust", "ws", "--", "-Z", "build-std=std").exit_code == 0


@pytest.mark.parametrize(
    ("sysroot", "programs", "advised"),
    [
        ("/usr", ["apt-get"], True),
        ("/usr", ["apt-get", "rust-lld"], False),
        ("/usr", [], False),
        ("/opt/rust", ["apt-get"], False),
    ],
)
def test_a_missing_linker(run: Run, cargo: StandIn, sysroot: str, programs: list[str], advised: bool) -> None:
    """Debian's packages of the target do not depend on that of the linker; cargo only says that there is none."""
    cargo.save(sysroot=sysroot, programs=["cargo", "rustc", *programs], code=101)
    done = run("guest", "build-rust", "ws")
    warning = "warning: `rust-lld`, which links modules, is not installed; run `apt-get install rust-llvm` unless"
    assert (done.exit_code, warning in done.stderr) == (101, advised)


@pytest.mark.parametrize("missing", ["cargo", "rustc"])
@pytest.mark.parametrize(
    ("programs", "advice"),
    [
        (["rustup", "apt-get"], "run `rustup default stable`"),
        (["apt-get"], "run `apt-get install cargo libstd-rust-dev-wasm32 rust-llvm`"),
        ([], "install rustup, the installer of Rust, then run `rustup target add wasm32-wasip1`"),
    ],
)
def test_a_missing_program(run: Run, cargo: StandIn, missing: str, programs: list[str], advice: str) -> None:
    cargo.save(programs=[*({"cargo", "rustc"} - {missing}), *programs])
    done = run("guest", "build-rust", "ws")
    assert (done.exit_code, done.stderr) == (1, f"error: there is no `{missing}` on this machine; {advice}\n")


def test_a_toolchain_without_wasi(run: Run, cargo: StandIn) -> None:
    cargo.save(targets=["x86_64-unknown-linux-gnu"])
    done = run("guest", "build-rust", "ws")
    assert done.exit_code == 1
    assert "has no target for WASI (wasm32-wasip1 or wasm32-wasi); install rustup" in done.stderr


def test_programs_of_the_environment(run: Run, folder: Path, cargo: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths are from the current directory, though cargo runs in that of the crate."""
    monkeypatch.setenv("PATH", str(folder / "nothing"))
    for base in (cargo.search_path, cargo.search_path.relative_to(folder)):
        for name in ("cargo", "rustc"):
            monkeypatch.setenv(name.upper(), str(base / name))
        assert run("guest", "build-rust", "ws").exit_code == 0
    assert set(cargo.asked("RUSTC")) == {str(cargo.search_path / "rustc")}


@pytest.mark.parametrize("variable", ["CARGO", "RUSTC"])
@pytest.mark.parametrize("value", ["no-cargo", "bin/cargo +nightly", "."])
def test_programs_of_the_environment_that_are_none(
    run: Run, cargo: StandIn, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    done = run("guest", "build-rust", "ws")
    assert (done.exit_code, done.stderr) == (
        1,
        f"error: {variable} in the environment is `{value}`, which is not a program on this machine; "
        f"change it, or unset it to use the `{variable.lower()}` on the search path\n",
    )
    monkeypatch.setenv(variable, "")
    assert run("guest", "build-rust", "ws").exit_code == 0


def test_a_program_that_cannot_be_run(run: Run, folder: Path, cargo: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "broken").write_text("#!/nowhere\n")
    (folder / "broken").chmod(0o755)
    monkeypatch.setenv("CARGO", "./broken")
    done = run("guest", "build-rust", "ws")
    assert (done.exit_code, done.stderr) == (1, f"error: `{folder}/broken` can't be run: No such file or directory\n")
