"""`marine-gen guest build-rust` and `new --rust`; a stand-in takes the places of cargo and rustc."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from marine_gen.binary import extract
from marine_gen.generate.sections import PREFIXES
from marine_gen.wasm import append_custom_section, read_sdk_version, remove_custom_sections
from tests.guests.descriptions import GUESTS_FOLDER
from tests.rust.recording import WORKSPACE, recorded
from tests.rust.stand_in import StandIn

Run = Callable[..., Result]
Process = Callable[..., "subprocess.CompletedProcess[str]"]

GREETING = (GUESTS_FOLDER / "greeting.wasm").read_bytes()
BARE = remove_custom_sections(GREETING, {"interface-types", "__fluence_sdk_version"})


def described(name: str = "greeting", argument: str = "Utf8String") -> bytes:
    """A module as cargo writes it: with a description, without adapters."""
    signature = {
        "name": name,
        "arguments": [{"name": "name", "ty": {argument: "ByValue"}}],
        "output_types": [{"Utf8String": "ByValue"}],
    }
    item = {"ast_type": "Function", "signature": signature}
    return append_custom_section(BARE, f"{PREFIXES[0]}{name}", json.dumps(item).encode())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with the workspace in it."""
    shutil.copytree(WORKSPACE, tmp_path / "ws")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cargo(folder: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The stand-in, which builds the workspace; nothing else is on the search path."""
    place = folder / "stand in"
    place.mkdir()
    (place / "plain.wasm").write_bytes(described())
    identities = {package["name"]: package["id"] for package in recorded(folder / "ws")["packages"]}
    plain = str(place / "plain.wasm")
    cargo = StandIn(place, recorded(folder / "ws"))
    cargo.save(
        modules=[
            ("registry#other@1.0.0", "other", "rlib", plain),
            (identities["shapes"], "shapes", "rlib", plain),
            (identities["storage"], "storage", "cdylib", plain),
            (identities["facade"], "facade", "bin", plain),
            (identities["tool"], "tool", "bin", plain),
        ]
    )
    monkeypatch.setenv("PATH", str(cargo.search_path))
    monkeypatch.setenv("STAND_IN", str(cargo.answers))
    for name in ("CARGO", "RUSTC"):
        monkeypatch.delenv(name, raising=False)
    return cargo


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


def test_options_reach_cargo(run: Run, folder: Path, cargo: StandIn) -> None:
    options = ["--release", "--features", "a,b", "--features", "c", "-o", "x/y"]
    done = run("guest", "build-rust", "ws", *options, "--", "--locked", "--profile=small", "-p", "facade")
    assert done.exit_code == 0, done.output
    assert (folder / "x" / "y" / "facade.wasm").is_file()
    assert cargo.asked()[0].endswith("diagnostics --release --features a,b,c --locked --profile=small -p facade")
    assert cargo.asked("cargo metadata")[0].endswith("--features a,b,c --locked")


@pytest.mark.parametrize("argument", ["-pfacade", "--package=facade", "--workspace", "--all", "--exclude"])
def test_packages_of_the_user_win(run: Run, cargo: StandIn, argument: str) -> None:
    assert run("guest", "build-rust", "ws", "--", argument).exit_code == 0
    assert cargo.asked()[0].endswith(f"json-render-diagnostics {argument}")


def test_other_arguments_leave_the_packages(run: Run, cargo: StandIn) -> None:
    assert run("guest", "build-rust", "ws", "--", "--all-features", "--profile", "x").exit_code == 0
    assert cargo.asked()[0].endswith("-p storage:0.1.0 -p facade:0.1.0 --all-features --profile x")


@pytest.mark.parametrize("name", ["ws/facade", "ws/facade/Cargo.toml", "."])
def test_a_crate_stands_for_itself(run: Run, cargo: StandIn, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if name == ".":
        monkeypatch.chdir("ws/facade")
    cargo.save(modules=[module for module in cargo.modules if module[1] == "facade"])
    done = run("guest", "build-rust", *([name] if name != "." else []))
    assert done.exit_code == 0, done.output
    assert "artifacts/facade.wasm" in done.stdout
    assert cargo.asked()[0].endswith("-p facade:0.1.0")


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
        ("/usr", ["apt-get"], "apt-get install libstd-rust-dev-wasm32 lld"),
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


@pytest.mark.parametrize("missing", ["cargo", "rustc"])
@pytest.mark.parametrize(
    ("programs", "advice"),
    [
        (["rustup", "apt-get"], "run `rustup default stable`"),
        (["apt-get"], "run `apt-get install cargo libstd-rust-dev-wasm32 lld`"),
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


def test_programs_of_the_environment(run: Run, cargo: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("cargo", "rustc"):
        monkeypatch.setenv(name.upper(), str(cargo.search_path / name))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert run("guest", "build-rust", "ws").exit_code == 0
    monkeypatch.setenv("CARGO", "no-cargo")
    assert "there is no `no-cargo` on this machine" in run("guest", "build-rust", "ws").stderr
    (tmp_path / "broken").write_text("#!/nowhere\n")
    (tmp_path / "broken").chmod(0o755)
    monkeypatch.setenv("CARGO", str(tmp_path / "broken"))
    done = run("guest", "build-rust", "ws")
    assert (done.exit_code, done.stderr) == (1, f"error: `{tmp_path}/broken` can't be run: No such file or directory\n")


def test_errors_of_cargo_pass_through(process: Process, folder: Path, cargo: StandIn) -> None:
    message = "\x1b[1m\x1b[91merror\x1b[0m: no such thing\n"
    cargo.save(code=101, errors=message, output="printed by a build script\n{not json\n[1]\n")
    done = process("guest", "build-rust", "ws")
    assert (done.returncode, done.stdout) == (101, "")
    assert sorted(done.stderr.splitlines()) == sorted(
        [message.strip(), "printed by a build script", "{not json", "[1]"]
    )
    assert not (folder / "ws" / "artifacts").exists()
    cargo.save(metadata_code=7, resolving=message)
    done = process("guest", "build-rust", "ws")
    assert (done.returncode, done.stdout, done.stderr) == (7, "", message)


def test_a_cargo_that_is_killed(run: Run, cargo: StandIn) -> None:
    cargo.save(code=-signal.SIGKILL)
    assert run("guest", "build-rust", "ws").exit_code == 128 + signal.SIGKILL


def without(document: dict[str, Any], package: str, key: str) -> dict[str, Any]:
    """The metadata in which a package does not depend on the SDK any more, or has no target that is a module."""
    for item in document["packages"]:
        if item["name"] == package and key == "targets":
            item["targets"] = [{"kind": ["lib"], "crate_types": ["lib"], "name": package}]
    for node in document["resolve"]["nodes"]:
        if f"/{package}#" in node["id"] and key == "sdk":
            node["deps"] = []
    return document


def test_crates_that_are_no_modules(run: Run, folder: Path, cargo: StandIn) -> None:
    done = run("guest", "build-rust", "ws/tool")
    where = folder / "ws" / "tool"
    advice = "as it does not depend on marine-rs-sdk; run `cargo add marine-rs-sdk` in the crate's folder"
    assert (done.exit_code, done.stderr) == (1, f"error: `{where}` is not a Marine module, {advice}\n")
    done = run("guest", "build-rust", "ws/shapes")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: `shapes` can't become a Wasm module, as it is a library; give it a `src/main")
    document = cargo.metadata
    for package in ("storage", "facade", "shapes"):
        document = without(document, package, "sdk")
    cargo.save(metadata=document)
    done = run("guest", "build-rust", "ws")
    assert done.stderr.startswith(f"error: no member of the workspace `{folder / 'ws'}` is a Marine module, as it does")
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


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"packages": [1]}', "[" * 100_000])
def test_metadata_that_cannot_be_read(run: Run, cargo: StandIn, text: str) -> None:
    cargo.save(metadata=text)
    done = run("guest", "build-rust", "ws")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: what `cargo metadata` printed can't be read: ")


def test_messages_that_cannot_be_read(run: Run, cargo: StandIn) -> None:
    cargo.save(output='{"reason": "compiler-artifact"}\n')
    done = run("guest", "build-rust", "ws")
    assert done.stderr.startswith("error: what `cargo build` printed can't be read: ")


def test_two_modules_of_one_name(run: Run, cargo: StandIn) -> None:
    cargo.save(modules=[(identity, "same", kind, file) for identity, _, kind, file in cargo.modules])
    done = run("guest", "build-rust", "ws")
    assert (done.exit_code, done.stderr) == (
        1,
        "error: the crates `storage` and `facade` both make `same.wasm`; rename one of their targets\n",
    )


def test_a_program_without_the_sdk_is_left_out(run: Run, folder: Path, cargo: StandIn) -> None:
    (folder / "bare.wasm").write_bytes(BARE)
    facade = next(module for module in cargo.modules if module[1] == "facade")
    cargo.save(modules=[*cargo.modules, (facade[0], "helper", "bin", str(folder / "bare.wasm"))])
    done = run("guest", "build-rust", "ws")
    assert done.exit_code == 0
    assert done.stderr == "warning: `helper.wasm` of crate `facade` is left out, as it uses no `#[marine]`\n"
    assert not (folder / "ws" / "artifacts" / "helper.wasm").exists()


SOURCE = """\
// fn greeting is not here
use marine_rs_sdk::marine;

fn other() { let text = "fn greeting"; }

#[marine]
pub fn greeting(name: Name) -> String {
}

#[marine]
pub struct Name {}

#[marine]
#[module_import("donkey")]
extern "C" {
    #[link_name = "say"]
    fn donkey_say(name: Name);
}
"""


def section(name: str, item: object) -> bytes:
    """A module with a section of this name."""
    content = item if isinstance(item, bytes) else json.dumps(item).encode()
    return append_custom_section(described(), f"{PREFIXES[0]}{name}", content)


def function(name: str, ty: object) -> dict[str, object]:
    """A function with one argument."""
    return {"name": name, "arguments": [{"name": "name", "ty": ty}], "output_types": []}


@pytest.mark.parametrize(
    ("wasm", "item", "place"),
    [
        (described(argument="Strng"), "`fn greeting`", "7:8"),
        (section("Name", b"{"), "`struct Name`", "11:12"),
        (section("Name", {"ast_type": "Record", "name": "Name", "fields": {"Named": []}}), "`struct Name`", "11:12"),
        (
            section(
                "donkey",
                {
                    "ast_type": "ExternMod",
                    "namespace": "donkey",
                    "imports": [
                        {"signature": function("donkey_say", {"Record": ["No", "ByValue"]}), "link_name": "say"}
                    ],
                },
            ),
            "`fn say`",
            "16:20",
        ),
        (section("donkey", {"ast_type": "ExternMod"}), '`extern block of "donkey"`', "14:18"),
        (section("missing", b"{"), "`fn missing` or `struct missing` or `extern block of", None),
    ],
)
def test_mistakes_in_the_description_name_the_item(
    run: Run, folder: Path, cargo: StandIn, wasm: bytes, item: str, place: str | None
) -> None:
    source = folder / "ws" / "facade" / "src" / "main.rs"
    source.write_text(SOURCE)
    bad = folder / "bad.wasm"
    bad.write_bytes(wasm)
    modules = [(*module[:3], str(bad)) if module[1] == "facade" else module for module in cargo.modules]
    cargo.save(modules=modules)
    done = run("guest", "build-rust", "ws")
    made = folder / "stand in" / "target" / "wasm32-wasip1" / "debug" / "facade.wasm"
    assert done.exit_code == 1
    assert f"in {item}" in done.stderr
    assert "of crate `facade`" in done.stderr
    if place is None:
        assert f"--> {made}" in done.stderr
    else:
        assert f"--> ws/facade/src/main.rs:{place}\n" in done.stderr
        assert f"note: found in `{made}`\n" in done.stderr
        line, column = map(int, place.split(":"))
        assert re.search(rf"\n {line} \| (.*)\n +\| {' ' * (column - 1)}\^", done.stderr)
    assert (folder / "ws" / "artifacts" / "storage.wasm").exists()
    assert not (folder / "ws" / "artifacts" / "facade.wasm").exists()


@pytest.mark.parametrize("argument", ["--target", "--target=x", "--message-format=json", "--manifest-path"])
def test_arguments_that_are_chosen_here(run: Run, cargo: StandIn, argument: str) -> None:
    done = run("guest", "build-rust", "ws", "--", argument)
    assert done.exit_code == 2
    assert f"`{argument.partition('=')[0]}` can't be passed on to cargo, as it is chosen here" in done.stderr
    assert cargo.asked("") == []


def test_folders_without_a_crate(run: Run, cargo: StandIn) -> None:
    done = run("guest", "build-rust", "nothing")
    assert (done.exit_code, done.stderr) == (
        1,
        "error: `nothing/Cargo.toml` can't be read: No such file or directory\n",
    )
    assert "[-- CARGO_ARGS...]" in run("guest", "build-rust", "--help").stdout


def test_new_writes_a_crate_once(run: Run, folder: Path) -> None:
    done = run("guest", "new", "--rust", "my-greeter", "-o", "a/b")
    files = ["Cargo.toml", "Config.toml", "src/main.rs", "tests/test_my_greeter.py", ".gitignore"]
    assert done.stdout == "".join(f"wrote a/b/my-greeter/{file}\n" for file in files)
    crate = folder / "a" / "b" / "my-greeter"
    manifest = tomllib.loads((crate / "Cargo.toml").read_text())
    assert manifest["package"]["name"] == "my-greeter"
    assert manifest["dependencies"] == {"marine-rs-sdk": "0.14.0"}
    (module,) = tomllib.loads((crate / "Config.toml").read_text())["module"]
    assert module["name"] == "my-greeter"
    test = (crate / "tests" / "test_my_greeter.py").read_text()
    compile(test, "test", "exec")
    assert "service.modules.my_greeter.greet(" in test
    (crate / "Cargo.toml").unlink()
    (crate / "src" / "main.rs").write_text("mine")
    done = run("guest", "new", "--rust", "my-greeter", "-o", "a/b")
    assert (done.exit_code, done.stderr) == (
        1,
        "error: `a/b/my-greeter/Config.toml` is there already, and is not overwritten\n",
    )
    assert not (crate / "Cargo.toml").exists()


@pytest.mark.parametrize("name", ["struct", "test", "../evil", "1st", "build"])
def test_names_that_cargo_refuses(run: Run, folder: Path, name: str) -> None:
    before = list(folder.iterdir())
    done = run("guest", "new", "--rust", name)
    assert done.exit_code == 1
    assert f"`{name}` can't name a " in done.stderr
    assert list(folder.iterdir()) == before
