"""Configuration files on the command line: errors and warnings on stderr, one line each."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.support.engines import guest

Run = Callable[..., Result]
Process = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[..., Path]

COMMANDS = (("check",), ("build", "-o", "out"), ("run", "greeting.greeting", '["x"]'), ("explain",))


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a service of one module, with `top` before the table of the module and `own` at its end."""
    monkeypatch.chdir(tmp_path)

    def config(top: str = "", own: str = "") -> Path:
        (tmp_path / "greeting.wasm").write_bytes(guest("greeting"))
        path = tmp_path / "service.toml"
        path.write_text(
            f'{top}\nmodules_dir = "."\ntotal_memory_limit = "1 GiB"\n[[module]]\nname = "greeting"\n{own}\n'
        )
        return path

    return config


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("top", "own", "message"),
    [
        (
            "total_memory = 1",
            "",
            ": unknown key `total_memory`; did you mean `total_memory_limit`? (valid keys: default,",
        ),
        ("", "logging_mask = true", ", module `greeting`: `module[0].logging_mask` must be an integer, not a boolean"),
        ("", "load_from = 'none'", ", module `greeting`: `module[0].load_from`: the path `"),
        ("", "wasi.envs = 1", ", module `greeting`: `module[0].wasi.envs` must be a table, not an integer"),
        ("x", "", " is not valid TOML: "),
    ],
)
def test_wrong_configurations_are_told(
    run: Run, write: Write, command: tuple[str, ...], top: str, own: str, message: str
) -> None:
    path = write(top, own)
    result = run(command[0], path, *command[1:])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: `{path}`{message}")
    assert len(result.stderr.partition("\n\n")[0].splitlines()) == 1


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_several_errors(run: Run, write: Write, command: tuple[str, ...]) -> None:
    path = write("nmae = 'x'\nname = 1", "logging_mask = true")
    result = run(command[0], path, *command[1:])
    assert (result.exit_code, result.stdout) == (1, "")
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert [line.removeprefix(f"error: `{path}`").partition("; ")[0] for line in lines] == [
        ": unknown key `nmae`",
        ": `name` must be a string, not an integer",
        ", module `greeting`: `module[0].logging_mask` must be an integer, not a boolean",
    ]
    (report,) = json.loads(run("check", "--json", path).stdout)
    assert len(report["findings"]) == 3


def test_errors_as_json(run: Run, write: Write) -> None:
    path = write("nmae = 'x'")
    result = run("check", "--json", path)
    assert (result.exit_code, result.stderr) == (1, "")
    ((report,),) = (json.loads(result.stdout),)
    assert not report["ok"]
    (finding,) = report["findings"]
    assert finding["message"].startswith(f"`{path}`: unknown key `nmae`; did you mean `name`?")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_warnings(run: Run, write: Write, command: tuple[str, ...]) -> None:
    path = write("", "mem_pages_count = 7\nmax_heap_size = '1 MiB'")
    result = run(command[0], path, *command[1:])
    keys = "`module[0].mem_pages_count`, `module[0].max_heap_size`"
    assert result.exit_code == 0
    assert result.stderr == f"warning: `{path}`: keys of older versions have no effect: {keys}\n"


def test_warnings_in_a_process_of_its_own(process: Process, write: Write) -> None:
    path = write("random_field = 7")
    for command in COMMANDS:
        done = process(command[0], path, *command[1:])
        wanted = f"warning: `{path}`: keys of older versions have no effect: `random_field`\n"
        assert (done.returncode, done.stderr) == (0, wanted)


def test_check_looks_for_programs(run: Run, write: Write, tmp_path: Path) -> None:
    path = write("", "mounted_binaries.curl = '/no/such/curl'")
    assert run("build", path, "-o", "out").exit_code == 0  # for another machine, perhaps
    for target in (path, tmp_path / "out"):
        result = run("check", target)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "module `greeting`: the program `/no/such/curl`, mounted as `curl`, does not exist\n" in result.stderr
    assert run("run", path, "greeting.greeting", '["x"]').stdout == '"Hi, x"\n'  # nobody runs it


def test_check_looks_whether_programs_can_run(run: Run, write: Write, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("")
    for program, problem in ((tmp_path, "is a directory"), (tmp_path / "text", "is not executable")):
        result = run("check", write("", f"mounted_binaries.curl = '{program}'"))
        assert f"module `greeting`: the program `{program}`, mounted as `curl`, {problem}\n" in result.stderr


def test_check_knows_functions_that_stand_in_for_programs(run: Run, write: Write, tmp_path: Path) -> None:
    path = write("", "mounted_binaries.curl = '/no/such/curl'")
    assert run("build", path, "-o", "out").exit_code == 0
    host_file = tmp_path / "host.py"
    host_file.write_text(
        "from marine_runtime import HostFunction\nhost_functions = {'curl': HostFunction.of(lambda: None)}"
    )
    for target in (path, tmp_path / "out"):
        result = run("check", target, "--host-file", host_file)
        assert (result.exit_code, result.stderr) == (0, "")
    host_file.write_text("host_functions = {}")
    assert "does not exist" in run("check", path, "--host-file", host_file).stderr
    assert "can't be read" in run("check", path, "--host-file", tmp_path / "none.py").stderr


def test_mapped_directories_are_made_by_running_and_not_by_looking(run: Run, write: Write, tmp_path: Path) -> None:
    path = write("service_working_dir = 'state'", "wasi.mapped_dirs.sites = 'sites'")
    for command in ("check", "explain", "build"):
        assert run(command, path).exit_code == 0
        assert not (tmp_path / "state").exists()
    assert run("run", path, "greeting.greeting", '["x"]').stdout == '"Hi, x"\n'
    assert (tmp_path / "state" / "sites").is_dir()
