"""A real Rust toolchain: projects and workspaces from source to answers, and their sections beside published ones."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import marine_gen
from marine_gen.artifact import ENGINES, compile_module
from marine_gen.binary import extract
from marine_gen.binary.embed import SECTION
from marine_gen.generate.sections import PREFIXES
from marine_gen.reflect.description import describe_module
from marine_gen.wasm import SDK_VERSION_SECTION, custom_section_names, read_sdk_version
from marine_runtime import U32, CallParameters, ParticleParameters
from marine_runtime.abi import AbiHelper
from tests.npm.test_avm import install as install_avm
from tests.rust.recording import RECORDING, WORKSPACE, pruned
from tests.rust.toolchain import FOLDER, UnavailableError, environment
from tests.support.available import unavailable
from tests.support.packages import mypy
from tests.support.pytests import own_root

pytestmark = pytest.mark.slow

CALL_PARAMETERS = {"SecurityTetraplet", "ParticleParameters", "CallParameters"}
"""Records of the SDK for what a module asks the host about a call."""


def time_zone(place: U32) -> str:
    """The function that the modules of the workspace import."""
    return f"zone {place}"


@pytest.fixture(scope="module")
def variables() -> Mapping[str, str]:
    """The environment of commands, in which cargo finds its toolchain."""
    try:
        found = environment()
    except UnavailableError as error:
        unavailable(str(error))
    path = os.pathsep.join([str(Path(sys.executable).parent), found["PATH"]])
    return {**found, "PATH": path, "NO_COLOR": "1"}


def run(command: str | Sequence[str], folder: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command at low priority; one build at a time, as all share a folder."""
    words = shlex.split(command) if isinstance(command, str) else command
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return subprocess.run(
            ["nice", "-n", "10", *words],
            cwd=folder,
            env=dict(variables),
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )


def must(command: str | Sequence[str], folder: Path, variables: Mapping[str, str]) -> str:
    """The output of a command that has to succeed."""
    done = run(command, folder, variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, variables: Mapping[str, str]) -> Path:
    """A copy of the workspace, built."""
    folder = tmp_path_factory.mktemp("rust") / "ws"
    shutil.copytree(WORKSPACE, folder)
    printed = must("marine-gen guest build-rust ws --release -o ws/artifacts", folder.parent, variables)
    names = sorted(line.partition(":")[0] for line in printed.splitlines())
    assert names == ["built ws/artifacts/facade.wasm", "built ws/artifacts/storage.wasm"]
    return folder


@pytest.mark.parametrize("engine", ENGINES)
def test_the_modules_answer(workspace: Path, engine: str) -> None:
    modules = {name: workspace / "artifacts" / f"{name}.wasm" for name in ("storage", "facade")}
    with marine_gen.load(modules, engine=engine, host_functions={"time_zone": time_zone}) as service:
        facade = service.modules.facade
        triangle = {"name": "Dreieck ▲", "points": [{"x": 0.5, "y": float(n)} for n in range(3)]}
        assert facade.describe(triangle) == "Dreieck ▲: 3"
        assert facade.recall("Dreieck ▲") == service.modules.storage.get("Dreieck ▲") == "Dreieck ▲: 3"
        assert [(point.x, point.y) for point in facade.mirrored(triangle["points"])] == [
            (-0.5, 0),
            (-0.5, 1),
            (-0.5, 2),
        ]
        assert facade.zone() == "zone 7"
        parameters = CallParameters(particle=ParticleParameters(init_peer_id="me"))
        assert service.call("facade", "caller", [], call_parameters=parameters) == "me"


def test_sections_are_those_of_a_published_module(workspace: Path) -> None:
    """AquaVM from npm is of the same SDK, and was made by Marine's own tool."""
    published = install_avm().read_bytes()
    theirs = extract(published)
    for name in ("storage", "facade"):
        wasm = (workspace / "artifacts" / f"{name}.wasm").read_bytes()
        assert str(read_sdk_version(wasm)) == str(read_sdk_version(published)) == "0.14.0"
        sections = [section for section in custom_section_names(wasm) if not section.startswith(PREFIXES)]
        expected = [section for section in custom_section_names(published) if not section.startswith(PREFIXES)]
        assert sorted(sections) == sorted(expected)
        assert sections[-2:] == expected[-2:] == [SECTION, SDK_VERSION_SECTION]
        ours = extract(wasm)
        for index in range(len(AbiHelper)):
            assert ours.exports[index].name == theirs.exports[index].name
            assert ours.types[ours.exports[index].type_index] == theirs.types[theirs.exports[index].type_index]
        # Those of the SDK that a module uses are there; the linker drops what it does not use.
        records = {record.name: record for record in describe_module(ours).records}
        published_records = {record.name: record for record in describe_module(theirs).records}
        shared = records.keys() & published_records.keys()
        assert {name: records[name] for name in shared} == {name: published_records[name] for name in shared}
        assert (shared >= CALL_PARAMETERS) == (name == "facade")


def test_glue_has_the_result_cells_of_modules(workspace: Path) -> None:
    """Blocks are allocated and released by longer code, which is called."""
    for name in ("storage", "facade"):
        wasm = (workspace / "artifacts" / f"{name}.wasm").read_bytes()
        cells = {helper.export for helper in AbiHelper} - {"allocate", "release_objects"}
        assert compile_module(name, wasm).lifted.keys() >= cells


def test_a_second_build_touches_nothing(workspace: Path, variables: Mapping[str, str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (workspace / "artifacts").iterdir()}
    printed = must("marine-gen guest build-rust --release", workspace, variables)
    assert sorted(printed.splitlines()) == [f"up to date artifacts/{name}.wasm" for name in ("facade", "storage")]
    assert {path: path.stat().st_mtime_ns for path in (workspace / "artifacts").iterdir()} == before


def test_features_of_a_crate(workspace: Path, variables: Mapping[str, str], tmp_path: Path) -> None:
    must(
        ["marine-gen", "guest", "build-rust", "--release", "--features=facade/loud", "-o", str(tmp_path)],
        workspace,
        variables,
    )
    modules = {name: tmp_path / f"{name}.wasm" for name in ("storage", "facade")}
    with marine_gen.load(modules, host_functions={"time_zone": time_zone}) as service:
        assert service.modules.facade.describe({"name": "x", "points": []}) == "X: 0"


def test_the_recording_is_what_cargo_prints(workspace: Path, variables: Mapping[str, str]) -> None:
    cargo = variables.get("CARGO", "cargo")
    printed = must(
        [cargo, "metadata", "--format-version", "1", "--filter-platform", "wasm32-wasip1"], workspace, variables
    )
    assert pruned(json.loads(printed), workspace) == RECORDING.read_text()


def test_errors_of_the_compiler_pass_through(workspace: Path, variables: Mapping[str, str], tmp_path: Path) -> None:
    shutil.copytree(workspace, tmp_path / "ws", ignore=shutil.ignore_patterns("artifacts"))
    source = tmp_path / "ws" / "storage" / "src" / "lib.rs"
    source.write_text(source.read_text() + "\n#[marine]\npub fn bad(x: u128) {}\n")
    coloured = {**variables, "CARGO_TERM_COLOR": "always"}
    done = run("marine-gen guest build-rust ws --release", tmp_path, coloured)
    assert (done.returncode, done.stdout) == (101, "")
    assert "storage/src/lib.rs" in done.stderr
    assert "\x1b[" in done.stderr
    assert not (tmp_path / "ws" / "artifacts").exists()


def test_a_new_project_answers_in_three_commands(variables: Mapping[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "wörk späce"
    folder.mkdir()
    must("marine-gen guest new --rust my-greeter", folder, variables)
    built = must("marine-gen guest build-rust my-greeter --release", folder, variables)
    assert built.startswith("built my-greeter/artifacts/my-greeter.wasm: ")
    answer = must(["marine-gen", "run", "my-greeter/Config.toml", "my-greeter.greet", '["World"]'], folder, variables)
    assert json.loads(answer)["text"] == "Hello, World"
    assert json.loads(answer)["weekday"].isalpha()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "my-greeter/tests"]
    with own_root() as root:
        printed = must(command, folder, {**variables, **root})
    assert "1 passed" in printed
    must("marine-gen build my-greeter/Config.toml -o greeter_service", folder, variables)
    program = (
        "import greeter_service\n\n"
        "with greeter_service.load() as service:\n"
        '    print(service.modules.my_greeter.greet("you").text)\n'
    )
    (folder / "client.py").write_text(program)
    assert must([sys.executable, "client.py"], folder, variables) == "Hello, you\n"
    assert mypy(folder, "client.py", paths=[folder])[0] == 0
    (folder / "wrong.py").write_text(program.replace('"you"', "7"))
    assert mypy(folder, "wrong.py", paths=[folder])[0] == 1
