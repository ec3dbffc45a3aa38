"""`marine-gen run`: results, arguments, names, host functions, and every way to fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result

from marine_gen.artifact import ENGINES
from marine_gen.console.inputs import choose_function
from marine_runtime import ArgumentError
from tests.guests.descriptions import EXAMPLE_FOLDER, GUESTS_FOLDER
from tests.support.engines import assemble, guest
from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.traces import calls

Run = Callable[..., Result]
GREETING = GUESTS_FOLDER / "greeting.wasm"


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_greets(run: Run, engine: str) -> None:
    result = run("run", GREETING, "greeting.greeting", '["John"]', "--engine", engine)
    assert (result.exit_code, result.stdout, result.stderr) == (0, '"Hi, John"\n', "")


def test_run_has_defaults(run: Run) -> None:
    assert run("run", GREETING, "greeting.greeting", '{"name": "é"}').stdout == '"Hi, é"\n'


@pytest.mark.parametrize("call_layer", ["fast", "public"])
def test_call_layers(run: Run, call_layer: str) -> None:
    assert run("run", GREETING, "greeting.greeting", '"x"', "--call-layer", call_layer).stdout == '"Hi, x"\n'


def test_arguments_from_stdin(run: Run) -> None:
    assert run("run", GREETING, "greeting.greeting", "-", stdin='["x"]').stdout == '"Hi, x"\n'


def test_stdin_that_is_not_text(run: Run) -> None:
    result = run("run", GREETING, "greeting.greeting", "-", stdin=b"\xff")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: the arguments on stdin are not UTF-8 (byte 0)\n"


def test_without_cache(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARINE_GEN_CACHE", str(tmp_path / "cache"))
    assert run("run", GREETING, "greeting.greeting", '["x"]', "--no-cache").exit_code == 0
    assert not (tmp_path / "cache").exists()
    assert run("run", GREETING, "greeting.greeting", '["x"]').exit_code == 0
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_advice_about_a_missing_module_works(run: Run, tmp_path: Path) -> None:
    """Commands of one file said to add a module, for which they have no place."""
    for name in ("donkey", "shrek"):
        (tmp_path / f"{name}.wasm").write_bytes(guest(name))
    alone = run("run", tmp_path / "shrek.wasm", "shrek.greeting", '["x"]')
    assert "load `donkey` before it: a service configuration (.toml) lists modules in their order" in alone.stderr
    config = tmp_path / "service.toml"
    text = "[[module]]\nname = 'donkey'\n[[module]]\nname = 'shrek'\n"
    config.write_text(text)
    assert 'write for example `modules_dir = "."`' in run("run", config, "shrek.greeting", '["x"]').stderr
    config.write_text(f'modules_dir = "."\n{text}')
    assert run("run", config, "shrek.greeting", '["x"]').exit_code == 0


def test_services_and_built_directories(run: Run, service: Callable[..., Path], tmp_path: Path) -> None:
    config = service("donkey", "shrek")
    expected = run("run", config, "shrek.greeting", '["x"]').stdout
    assert json.loads(expected)[0].startswith("Shrek: hi, x")
    assert run("build", config, "-o", tmp_path / "built").exit_code == 0
    assert run("run", tmp_path / "built", "shrek.greeting", '["x"]').stdout == expected


def test_guests_log_to_stderr(run: Run) -> None:
    silent = run("run", GUESTS_FOLDER / "logger.wasm", "logger.log_info")
    shown = run("run", GUESTS_FOLDER / "logger.wasm", "logger.log_info", "--log-level", "trace")
    assert (silent.stdout, silent.stderr) == ("null\n", "")
    assert shown.stdout == "null\n"
    assert shown.stderr == "info: logger: info\n"


@pytest.mark.parametrize("case", load_cases(GOLDEN / "cli" / "run.golden"), ids=str)
def test_failures(run: Run, module: Callable[[str], Path], case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The input is a guest, a function, and arguments; all failures are one message and exit code 1."""
    name, function, *arguments = case.input.split(" ", 2)
    path = module(name)
    monkeypatch.chdir(path.parent)
    result = run("run", path.name, function, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    case.check(result.stderr.rstrip("\n"))


@pytest.mark.parametrize(
    "args",
    [
        ("run",),
        ("run", "x.wasm"),
        ("run", "x.wasm", "a.b", "--engine", "jit"),
        ("run", "x.wasm", "a.b", "--call-layer", "slow"),
        ("run", "x.wasm", "a.b", "[]", "more"),
    ],
)
def test_wrong_usage_of_run(run: Run, args: tuple[str, ...]) -> None:
    result = run(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: " in result.stderr


def test_unknown_engine_lists_the_engines(run: Run) -> None:
    assert f"choose {', '.join(ENGINES)}" in run("run", "x.wasm", "a.b", "--engine", "jit").stderr


def test_missing_host_function(run: Run) -> None:
    result = run("run", EXAMPLE_FOLDER / "curl.wasm", "curl.download")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: module `curl` imports `__marine_host_api_v3.curl`, and nothing provides it")


HOST_FILE = """
from marine_runtime import Array, Field, HostFunction, Prim, RecordType
RESULT = RecordType("MountedBinaryResult", (
    Field("ret_code", Prim.S32), Field("error", Prim.STRING), Field("stdout", Prim.BYTE_ARRAY),
    Field("stderr", Prim.BYTE_ARRAY),
))
def curl(args):
    if args[-1] == "bad":
        raise KeyError("no such page")
    return (0, "", b"page of " + args[-1].encode(), b"")
"""
ANNOTATED_HOST_FILE = """
from dataclasses import dataclass
from marine_runtime import S32, ServiceHost
@dataclass
class Result:
    ret_code: S32
    error: str
    stdout: bytes
    stderr: bytes
host = ServiceHost()
@host.function
def curl(args: list[str]) -> Result:
    if args[-1] == "bad":
        raise KeyError("no such page")
    return Result(0, "", b"page of " + args[-1].encode(), b"")
"""


@pytest.mark.parametrize(
    "source",
    [
        HOST_FILE + 'host_functions = {"curl": HostFunction.of(curl, [Array(Prim.STRING)], RESULT)}',
        ANNOTATED_HOST_FILE,
        ANNOTATED_HOST_FILE + "host_functions = host",
        ANNOTATED_HOST_FILE + 'host = "this one"\nhost_functions = {("__marine_host_api_v3", "curl"): curl.function}',
    ],
)
def test_host_file(run: Run, tmp_path: Path, source: str) -> None:
    path = tmp_path / "host.py"
    path.write_text(source)
    config = EXAMPLE_FOLDER / "Config.toml"
    assert run("run", config, "curl.download", '["u"]', "--host-file", path).stdout == '"page of u"\n'
    failed = run("run", config, "curl.download", '["bad"]', "--host-file", path)
    assert failed.exit_code == 1
    assert "curl` raised KeyError: 'no such page'" in failed.stderr
    assert failed.stderr.splitlines()[-1] == "  caused by: KeyError: 'no such page'"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\n1 / 0", "host.py`, line 2, failed with ZeroDivisionError: division by zero\n"),
        ("import no_such_module", "line 1, failed with ModuleNotFoundError: No module named 'no_such_module'\n"),
        (
            "open('/no/such')",
            "line 1, failed with FileNotFoundError: [Errno 2] No such file or directory: '/no/such'\n",
        ),
        ("def f(:", "host.py` failed with SyntaxError: "),
        ("raise SystemExit", "line 1, failed with SystemExit\n"),
        ("x = 1", "defines no ServiceHost `host`, nor a mapping `host_functions` of names to host functions\n"),
        ("host = 1", "defines no ServiceHost `host`, nor a mapping `host_functions` of names to host functions\n"),
        ("host_functions = {'f': 1}", "host.py`: host function 'f' must be a function, not int\n"),
        (
            "host_functions = {'f': lambda x: None}",
            "`: host function 'f': parameter `x` of `<lambda>` has no annotation",
        ),
        ("host_functions = {1: print}", "names, or pairs of a namespace and a name, not 1\n"),
        (
            "import marine_runtime\nhost = marine_runtime.ServiceHost()\nhost_functions = {}",
            "host.py` defines both `host` and `host_functions`; one of them is enough\n",
        ),
    ],
)
def test_wrong_host_files(run: Run, tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "host.py"
    path.write_text(source)
    result = run("run", GREETING, "greeting.greeting", '["x"]', "--host-file", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(("name", "reason"), [("none.py", "No such file or directory"), ("", "it is a directory")])
def test_host_files_that_are_none(run: Run, tmp_path: Path, name: str, reason: str) -> None:
    result = run("run", GREETING, "greeting.greeting", '["x"]', "--host-file", tmp_path / name)
    assert result.exit_code == 1
    assert result.stderr.endswith(f"` can't be read: {reason}\n")


def fake_service(**functions: list[str]) -> SimpleNamespace:
    class Modules(dict[str, list[str]]):
        def __missing__(self, name: str) -> list[str]:
            raise ArgumentError(f"there is no module `{name}`")

    modules = {name.replace("__", "."): names for name, names in functions.items()}
    interface = SimpleNamespace(
        modules={name: SimpleNamespace(functions=names, left_out={}) for name, names in modules.items()}
    )
    return SimpleNamespace(modules=Modules(modules), interface=interface)


def test_module_names_may_contain_dots() -> None:
    service = fake_service(a=["f", "b.f"], a__b=["f", "g"])
    assert choose_function(service, "a.f") == ("a", "f")
    assert choose_function(service, "a.b.g") == ("a.b", "g")
    assert choose_function(service, "a.b.f") == ("a.b", "f")  # the last dot behind a known module
    assert choose_function(service, "a.b.h") == ("a.b", "h")  # the call says what is wrong
    with pytest.raises(ArgumentError, match="there is no module `x`"):
        choose_function(service, "x.f")
    with pytest.raises(ArgumentError, match=r"not of the form MODULE.FUNCTION; available: `a.f`, `a.b.f`, `a.b.f`, "):
        choose_function(service, "f")


def test_hostile_names_do_not_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    name = "\x1b[2J\nerror: fake\u202e"
    quoted = "".join(f"\\{byte:02x}" for byte in name.encode())
    text = "".join(f"\\u{{{ord(character):x}}}" for character in name)
    adapters = f"""(@interface it_version "0.28.0")
(@interface type (func))
(@interface type (func))
(@interface func (type 1) call-core 0)
(@interface export "{text}" (func 0))
(@interface implement (func 0) (func 1))
"""
    path = tmp_path / "hostile.wasm"
    path.write_bytes(assemble(f'(module (func (export "{quoted}") unreachable))', adapters))
    unknown = run("run", path, "hostile.x")
    trapped = run("run", path, f"hostile.{name}")
    for result in (unknown, trapped):
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 1
        assert "\\x1b[2J\\nerror: fake\\u202e" in result.stderr
        assert "\x1b" not in result.stderr


def test_calls_are_recorded(run: Run, service: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    result = run("run", service("donkey", "shrek"), "shrek.greeting", '["x"]', "--trace", path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert calls(json.loads(path.read_text("utf-8"))) == [
        (0, "call", "shrek.greeting"),
        (1, "import", "donkey.greeting"),
    ]


def test_a_failing_call_is_recorded(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    result = run("run", GUESTS_FOLDER / "failing.wasm", "failing.failing", "--trace", path)
    assert result.exit_code == 1
    assert calls(json.loads(path.read_text("utf-8"))) == [(0, "call", "failing.failing")]


def test_a_trace_without_a_place(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "out.json"
    result = run("run", GREETING, "greeting.greeting", '["x"]', "--trace", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error: the trace `{path}` can't be written: there is no directory `{path.parent}`\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-5"], "$.name: expected string, got -5"),
        (["-0.5e3", "--timeout", "2"], "$.name: expected string, got -500"),
        (["--timeout", "2", "-5"], "$.name: expected string, got -5"),
        (["--", "-5"], "$.name: expected string, got -5"),
        (
            ["--timeout", "-5"],
            "Invalid value for '--timeout': '-5' is not accepted; write a number of seconds, more than 0",
        ),
        (["--tiemout", "5"], "No such option"),
    ],
)
def test_negative_numbers_are_arguments(words: list[str], message: str) -> None:
    from click.testing import CliRunner

    from marine_gen.cli import cli

    result = CliRunner().invoke(cli, ["run", str(GUESTS_FOLDER / "greeting.wasm"), "greeting.greeting", *words])
    assert message in result.stderr
