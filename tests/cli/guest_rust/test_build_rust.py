"""`marine-gen guest build-rust`: which crates are built, what is written and what is printed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from marine_gen.binary import extract
from marine_gen.wasm import read_sdk_version
from tests.rust.modules import BARE, GREETING
from tests.rust.stand_in import StandIn

Run = Callable[..., Result]


def test_modules_of_a_workspace_are_built(run: Run, folder: Path, cargo: StandIn) -> None:
    done = run("guest", "build-rust", "ws")
    size = f"{(folder / 'ws' / 'artifacts' / 'facade.wasm').stat().st_size:,}"
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "".join(
        f"built ws/artifacts/{name}.wasm: {size} bytes, 1 function, SDK 0.14.0\n" for name in ("storage", "facade")
    )
    assert sorted(path.name for path in (folder / "ws" / "artifacts").iterdir()) == ["facade.wasm", "storage.wasm"]
    assert extract((folder / "ws" / "artifacts" / "facade.wasm").read_bytes()) == extract(GREETING)
    options = "--target wasm32-wasip1 --message-format json-render-diagnostics"
    assert cargo.asked() == [f"{options} -p storage:0.1.0 -p facade:0.1.0"]
    assert cargo.asked("cargo metadata") == ["--format-version 1 --filter-platform wasm32-wasip1"]


def test_what_is_up_to_date_is_not_touched(run: Run, folder: Path, cargo: StandIn) -> None:
    assert run("guest", "build-rust", "ws").exit_code == 0
    facade = folder / "ws" / "artifacts" / "facade.wasm"
    os.utime(facade, ns=(1, 1))
    done = run("guest", "build-rust", "ws")
    assert done.stdout == "up to date ws/artifacts/storage.wasm\nup to date ws/artifacts/facade.wasm\n"
    assert facade.stat().st_mtime_ns == 1
    os.truncate(facade, 100)
    assert "built ws/artifacts/facade.wasm" in run("guest", "build-rust", "ws").stdout


def test_the_interface_is_printed_on_request(run: Run, cargo: StandIn) -> None:
    assert "greeting" not in run("guest", "build-rust", "ws").stdout
    done = run("guest", "build-rust", "ws", "--interface")
    assert done.stdout.count("    func greeting(name: string) -> string\n") == 2


@pytest.mark.parametrize("name", ["ws/facade", "ws/facade/Cargo.toml", "."])
def test_a_crate_stands_for_itself(run: Run, cargo: StandIn, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if name == ".":
        monkeypatch.chdir("ws/facade")
    cargo.save(modules=[module for module in cargo.modules if module[1] == "facade"])
    done = run("guest", "build-rust", *([name] if name != "." else []))
    assert done.exit_code == 0, done.output
    assert "artifacts/facade.wasm" in done.stdout
    assert cargo.asked()[0].endswith("-p facade:0.1.0")


def without(document: dict[str, Any], package: str, key: str) -> None:
    """Change the metadata, so that a package does not depend on the SDK any more, or has no target that is a module."""
    for item in document["packages"]:
        if item["name"] == package and key == "targets":
            item["targets"] = [{"kind": ["lib"], "crate_types": ["lib"], "name": package}]
    for node in document["resolve"]["nodes"]:
        if f"/{package}#" in node["id"] and key == "sdk":
            node["deps"] = []


def test_crates_without_the_sdk(run: Run, folder: Path, cargo: StandIn) -> None:
    done = run("guest", "build-rust", "ws/tool")
    reason = f"`{folder / 'ws' / 'tool'}` is not a Marine module, as it does not depend on marine-rs-sdk"
    advice = "run `cargo add marine-rs-sdk` in the crate's directory"
    assert (done.exit_code, done.stderr) == (1, f"error: {reason}; {advice}\n")
    for package in ("storage", "facade", "shapes"):
        without(cargo.metadata, package, "sdk")
    cargo.save()
    done = run("guest", "build-rust", "ws")
    reason = f"no member of the workspace `{folder / 'ws'}` is a Marine module, as none depends on marine-rs-sdk"
    assert (done.exit_code, done.stderr) == (1, f"error: {reason}; {advice}\n")
    for package in cargo.metadata["packages"]:
        package["dependencies"] = [{"name": "marine-rs-sdk", "optional": package["name"] == "facade"}]
    cargo.save()
    advice = "`facade` does with one of its features: name it by --features"
    assert run("guest", "build-rust", "ws").stderr == f"error: {reason}; {advice}\n"
    assert cargo.asked() == []


def test_libraries(run: Run, cargo: StandIn) -> None:
    advice = 'add a `src/main.rs`, or `crate-type = ["cdylib"]` in the table [lib] of Cargo.toml'
    done = run("guest", "build-rust", "ws/shapes")
    reason = "`shapes` is a library and can't become a Wasm module"
    assert (done.exit_code, done.stderr) == (1, f"error: {reason}; {advice}\n")
    for package in ("storage", "facade"):
        without(cargo.metadata, package, "targets")
    cargo.save()
    reason = "`storage`, `facade`, `shapes` are libraries and can't become a Wasm module"
    assert run("guest", "build-rust", "ws").stderr == f"error: {reason}; {advice}\n"
    assert cargo.asked() == []


@pytest.mark.parametrize("kind", ["dev", "build", None])
def test_the_sdk_counts_for_the_code_only(run: Run, cargo: StandIn, kind: str | None) -> None:
    """Under whatever name; a dependency of tests or of the build script makes no module."""
    document = cargo.metadata
    for node in document["resolve"]["nodes"]:
        if "/facade#" in node["id"]:
            for dependency in node["deps"]:
                dependency["name"] = "renamed"
                dependency["dep_kinds"] = [{"kind": kind, "target": None}]
    cargo.save(metadata=document)
    assert run("guest", "build-rust", "ws").exit_code == 0
    assert ("facade" in cargo.asked()[0]) == (kind is None)


def test_versions_come_from_what_cargo_resolved(run: Run, folder: Path, cargo: StandIn) -> None:
    """As in Marine's tool, whatever version the module says itself."""
    text = json.dumps(cargo.metadata).replace('"version": "0.14.0"', '"version": "0.10.2-rc.1"')
    cargo.save(metadata=text)
    done = run("guest", "build-rust", "ws")
    assert "SDK 0.10.2-rc.1" in done.stdout
    wasm = (folder / "ws" / "artifacts" / "facade.wasm").read_bytes()
    assert (str(read_sdk_version(wasm)), extract(wasm).version) == ("0.10.2-rc.1", "0.28.0")
    cargo.save(metadata=text.replace("0.10.2-rc.1", "0.5.0"))
    done = run("guest", "build-rust", "ws")
    assert (done.exit_code, "MG605" in done.stderr) == (1, True)


def test_two_modules_of_one_name(run: Run, folder: Path, cargo: StandIn) -> None:
    cargo.save(modules=[(identity, "same", kind, file) for identity, _, kind, file in cargo.modules])
    done = run("guest", "build-rust", "ws")
    assert (done.exit_code, done.stderr) == (
        1,
        "error: the crates `storage` and `facade` both make `same.wasm`; rename one of the two targets\n",
    )
    facade = next(module for module in cargo.modules if "/facade#" in module[0])
    cargo.save(modules=[facade, facade])
    done = run("guest", "build-rust", "ws")
    assert "error: two targets of the crate `facade` both make `same.wasm`;" in done.stderr
    assert not (folder / "ws" / "artifacts").exists()


def test_a_crate_built_for_another_one_is_no_module(run: Run, folder: Path, cargo: StandIn) -> None:
    """A crate that is a cdylib and a library has a Wasm file in `deps` when only the crate that uses it is chosen."""
    storage, facade = (module for module in cargo.modules if module[1] in ("storage", "facade"))
    cargo.save(modules=[(storage[0], "deps/storage", *storage[2:]), facade])
    done = run("guest", "build-rust", "ws", "--", "-p", "facade")
    assert done.stdout.startswith("built ws/artifacts/facade.wasm: ")
    assert [path.name for path in (folder / "ws" / "artifacts").iterdir()] == ["facade.wasm"]
    cargo.save(modules=[(facade[0], "examples/facade", *facade[2:])])
    assert run("guest", "build-rust", "ws", "--", "--examples").stdout == "up to date ws/artifacts/facade.wasm\n"


def test_a_crate_with_the_name_of_a_dependency(run: Run, cargo: StandIn) -> None:
    packages = cargo.metadata["packages"]
    (facade,) = (package for package in packages if package["name"] == "facade")
    packages.append({**facade, "id": "registry#facade@0.1.0", "source": "registry"})
    cargo.save()
    assert run("guest", "build-rust", "ws").exit_code == 0
    assert cargo.asked()[0].endswith(f"-p storage:0.1.0 -p {facade['id']}")


def test_arguments_that_choose_no_module(run: Run, folder: Path, cargo: StandIn) -> None:
    cargo.save(modules=[module for module in cargo.modules if module[1] == "tool"])
    done = run("guest", "build-rust", "ws", "--", "-p", "tool")
    assert (done.exit_code, done.stderr) == (
        1,
        "error: cargo built no Marine module, as its arguments select no binary or cdylib of `storage`, `facade`\n",
    )


def test_a_program_without_the_sdk_is_left_out(run: Run, folder: Path, cargo: StandIn) -> None:
    (folder / "bare.wasm").write_bytes(BARE)
    facade = next(module for module in cargo.modules if module[1] == "facade")
    cargo.save(modules=[*cargo.modules, (facade[0], "helper", "bin", str(folder / "bare.wasm"))])
    done = run("guest", "build-rust", "ws")
    assert done.exit_code == 0
    assert done.stderr == "warning: `helper.wasm` of crate `facade` is left out, as it uses no `#[marine]`\n"
    assert not (folder / "ws" / "artifacts" / "helper.wasm").exists()
    cargo.save(modules=cargo.modules[-1:])
    done = run("guest", "build-rust", "ws")
    assert done.exit_code == 1
    assert done.stderr.endswith("error: no module was made; mark the functions that a crate exports with `#[marine]`\n")


def test_the_nearest_crate_is_built(run: Run, folder: Path, cargo: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("ws/facade/src")
    cargo.save(modules=[module for module in cargo.modules if module[1] == "facade"])
    assert run("guest", "build-rust").stdout.startswith("built ../artifacts/facade.wasm: ")
    assert (folder / "ws" / "facade" / "artifacts" / "facade.wasm").is_file()


@pytest.mark.parametrize("name", ["nothing", "ws/facade/src", "ws/facade/src/main.rs", "nothing/Cargo.toml", None])
def test_folders_without_a_crate(run: Run, cargo: StandIn, name: str | None) -> None:
    done = run("guest", "build-rust", *([name] if name else []))
    shown = (name or ".").removesuffix("/Cargo.toml")
    assert (done.exit_code, done.stderr) == (
        1,
        f"error: `{shown}` is not a crate, as it has no Cargo.toml; name the directory of a crate or workspace, or "
        "start one with `marine-gen guest new --rust NAME`\n",
    )
    assert cargo.asked("") == []


def test_places_that_cannot_be_written(run: Run, folder: Path, cargo: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that can't be made is reported before anything is built."""
    (folder / "file").touch()
    done = run("guest", "build-rust", "ws", "-o", "file/x")
    assert done.stderr == f"error: the directory `file/x` can't be created, as `{folder}/file` is a file\n"
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(folder / "ws"))
    done = run("guest", "build-rust", "ws")
    assert done.stderr == (
        f"error: the directory `ws/artifacts` can't be created, as nothing can be written to `{folder}/ws`\n"
    )
    assert (done.exit_code, cargo.asked("")) == (1, [])
    (folder / "ws" / "artifacts" / "facade.wasm").mkdir(parents=True)
    done = run("guest", "build-rust", "ws")
    assert (done.exit_code, done.stderr) == (1, "error: `ws/artifacts/facade.wasm` can't be written: Is a directory\n")


@pytest.mark.parametrize("name", ["wörk späce", "工作区", "-ws", "a'b\"c$d"])
def test_paths(run: Run, folder: Path, cargo: StandIn, name: str) -> None:
    (folder / "ws").rename(folder / name)
    cargo.build_workspace(folder / name, cargo.folder / "plain.wasm")
    done = run("guest", "build-rust", f"./{name}", "-o", f"{name}/äöü ü", "--interface")
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"built {name}/äöü ü/facade.wasm: " in done.stdout
    assert (folder / name / "äöü ü" / "storage.wasm").is_file()


def test_help_and_unknown_options(run: Run, cargo: StandIn) -> None:
    assert "[-- CARGO_ARGS...]" in " ".join(run("guest", "build-rust", "--help").stdout.split())
    done = run("guest", "build-rust", "ws", "--locked")
    assert done.exit_code == 2
    assert "Options of cargo go after `--`." in done.stderr
