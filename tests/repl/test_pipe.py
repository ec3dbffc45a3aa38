"""Commands from a pipe: streams, exit codes, values over several lines, options of the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from marine_gen.cli import cli
from tests.guests.descriptions import EXAMPLE_FOLDER, GUESTS_FOLDER
from tests.support.engines import guest

GREETING = GUESTS_FOLDER / "greeting.wasm"


def repl(*args: str | Path, commands: str | bytes, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command with `commands` on its stdin; in this process, as starting one takes long."""
    given = [str(item) for item in args]
    own = any(item.startswith("--timeout") for item in given)
    arguments = ["repl", *(() if own else ("--timeout", "30")), *given]
    done = CliRunner(env={"NO_COLOR": "1", **environment}).invoke(cli, arguments, input=commands)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def test_a_process_of_its_own() -> None:
    command = [sys.executable, "-W", "error", "-m", "marine_gen", "repl", "--timeout", "30", str(GREETING)]
    commands = 'call greeting greeting ["x"]\ncall greeting greeting [1]\n'
    done = subprocess.run(command, input=commands, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, '"Hi, x"\n')
    assert "Traceback" not in done.stderr


def test_results_are_data_and_messages_are_not() -> None:
    done = repl(GREETING, commands='call greeting greeting ["John"]\ncall greeting greeting\t{"name":\n"Jane"\n}\n')
    assert (done.returncode, done.stdout) == (0, '"Hi, John"\n"Hi, Jane"\n')
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [" elapsed time"] * 2


def test_quiet_leaves_nothing_but_failures() -> None:
    done = repl("-q", GREETING, commands='call greeting greeting ["x"]\nfoo\ncall greeting greeting -nr ["y"]')
    assert (done.returncode, done.stdout) == (1, '"Hi, x"\n')
    assert done.stderr == "there is no command `foo` (`help` lists all)\n"


def test_a_failing_command_does_not_stop_the_others() -> None:
    done = repl(GREETING, commands='call greeting greeting [1]\ncall greeting greeting ["x"]\nquit\nfoo\n')
    assert (done.returncode, done.stdout) == (1, '"Hi, x"\n')
    assert "$.name: expected string, got 1" in done.stderr
    assert "foo" not in done.stderr


def test_listings_have_no_headings(tmp_path: Path) -> None:
    done = repl(GREETING, commands="interface\nstats\nhistory\nengine\nsource greeting greeting\nwat greeting\n")
    assert done.returncode == 0
    assert done.stdout.startswith("exported data types")
    assert "\ngreeting - 131.1 KB\n" in done.stdout
    assert "\nfused, fast calls\ndef __entry_greeting(" in done.stdout
    assert "(module" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_texts_of_other_systems(newline: str) -> None:
    """A byte order mark, ends of lines, and tabs between words do not count."""
    lines = [
        "\ufeffcall\tgreeting\tgreeting\t[",
        '"x"]',
        "call greeting greeting [",
        "",
        'c greeting greeting ["y"]',
        "",
    ]
    done = repl("-q", GREETING, commands=newline.join(lines).encode())
    assert (done.returncode, done.stdout) == (1, '"Hi, x"\n"Hi, y"\n')
    assert done.stderr.startswith("invalid args: ")
    assert done.stderr.count("invalid") == 1


def test_a_new_service_says_so_unless_it_is_the_first() -> None:
    done = repl(commands=f"new {GREETING}\n")
    assert done.stderr.startswith("app service was created with service id = ")
    assert done.stderr.count("app service") == 1
    assert repl("-q", commands="new\n").stderr == ""


def test_calls_of_the_whole_session_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    commands = f'call greeting greeting ["x"]\nnew {GREETING}\nc greeting greeting ["y"]\n'
    done = repl("--trace", path, GREETING, commands=commands)
    assert (done.returncode, done.stdout) == (0, '"Hi, x"\n"Hi, y"\n')
    events = json.loads(path.read_text("utf-8"))["traceEvents"]
    assert [event["name"] for event in events if event.get("cat") == "call"] == ["greeting.greeting"] * 2


@pytest.mark.parametrize("by", ["target", "load", "new", "later"])
def test_a_trace_does_not_overwrite_what_the_session_reads(tmp_path: Path, by: str) -> None:
    module = tmp_path / "greeting.wasm"
    module.write_bytes(GREETING.read_bytes())
    read = {"target": [], "load": [f"load greeting {module}"], "new": [f"new {module}"], "later": []}[by]
    lines = [*read, f"trace {module}", "trace"]
    if by == "later":
        lines = [f"trace {tmp_path}/x.json", f"load x {tmp_path}/x.json", "trace"]
    done = repl(*([module] if by == "target" else []), commands="\n".join(lines))
    refused = "x.json" if by == "later" else "greeting.wasm"
    assert f"{refused}` would be overwritten: choose another file for the output" in done.stderr
    assert module.read_bytes() == GREETING.read_bytes()


def test_a_trace_that_can_not_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    done = repl("--trace", tmp_path / "nowhere" / "trace.json", GREETING, commands='call greeting greeting ["x"]\n')
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: the trace ")


def test_an_unfinished_value_at_the_end_is_an_error() -> None:
    done = repl(GREETING, commands='call greeting greeting ["x",\n')
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("invalid args: ")


def test_an_empty_line_gives_a_value_up() -> None:
    done = repl(GREETING, commands='call greeting greeting ["x",\n\ncall greeting greeting ["y"]\n')
    assert (done.returncode, done.stdout) == (1, '"Hi, y"\n')


def test_nothing_to_do() -> None:
    done = repl(commands="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("target", ["missing.toml", "missing.wasm", str(GREETING) + "x"])
def test_a_service_that_can_not_be_made(target: str) -> None:
    done = repl(target, commands="help")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: `{target}` can't be read: No such file or directory")


def test_what_is_not_text_is_refused() -> None:
    done = repl(GREETING, commands=b"help \xff\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: the commands on stdin are not UTF-8 (byte 5 of a line)\n"


@pytest.mark.parametrize("seconds", ["0", "-1", "3601", "nan"])
def test_wrong_time_limits_are_wrong_usage(seconds: str) -> None:
    done = repl(f"--timeout={seconds}", commands="help")
    assert done.returncode == 2
    assert "more than 0 and at most 3600" in done.stderr


def test_the_default_time_limit_is_that_of_marine(module: Callable[[str], Path]) -> None:
    command = [sys.executable, "-m", "marine_gen", "repl", str(module("endless"))]
    done = subprocess.run(command, input="call endless spin []\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "call interrupted: deadline has elapsed (100ms)\na call was interrupted and nothing was rolled back"
    )


def test_control_characters_reach_a_program_but_no_terminal() -> None:
    done = repl(GREETING, commands='call greeting greeting ["\\u001b[31m\\u200f"]\n')
    assert json.loads(done.stdout) == "Hi, \x1b[31m\u200f"


def test_environment_and_directories_are_shown(tmp_path: Path) -> None:
    (tmp_path / "greeting.wasm").write_bytes(guest("greeting"))
    config = tmp_path / "service.toml"
    config.write_text(
        'total_memory_limit = "Infinity"\nmodules_dir = "."\nservice_working_dir = "state"\n'
        '[[module]]\nname = "greeting"\n'
        '[module.wasi.envs]\nCOLOUR = "green"\n[module.wasi.mapped_dirs]\n"data" = "files"\n'
    )
    commands = "envs greeting\nfs greeting\n"
    done = repl(config, commands=commands)
    own = tmp_path / "state" / "files"
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "COLOUR=green"
    assert f"data={own}" in lines
    assert any(line.startswith("service_id=") for line in lines)
    assert lines[-1] == f"data -> {own} (empty)"
    other = tmp_path / "other"
    (other / "files").mkdir(parents=True)
    (other / "files" / "x").touch()
    done = repl(config, "--working-dir", other, commands=commands)
    assert done.stdout.splitlines()[-1] == f"data -> {other / 'files'} (1 entry)"


def test_host_functions_and_built_directories(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("content")
    commands = f'call facade get_n_save ["file://{tmp_path / "page"}", "page"]\ncall local_storage get ["page"]\n'
    done = repl(EXAMPLE_FOLDER / "Config.toml", "--host-file", EXAMPLE_FOLDER / "host.py", commands=commands)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, '"Ok"')
    built = tmp_path / "built"
    build = [sys.executable, "-m", "marine_gen", "build", str(GREETING), "-o", str(built)]
    subprocess.run(build, check=True, capture_output=True, timeout=60)
    donkey = GUESTS_FOLDER / "donkey.wasm"
    commands = f'call greeting greeting ["x"]\nload donkey {donkey}\ncall donkey greeting ["y"]\n'
    done = repl(built, "--engine", "closures", commands=commands)
    assert (done.returncode, done.stdout) == (0, '"Hi, x"\n"Donkey: hi, y"\n')


@pytest.mark.parametrize(("level", "shown"), [("trace", True), ("off", False)])
def test_logs_of_guests_go_to_stderr(module: Callable[[str], Path], level: str, shown: bool) -> None:
    done = repl(module("logger"), commands='call logger log_line [5, 0, "a trace"]\n', WASM_LOG=level)
    assert done.returncode == 0
    assert "a trace" not in done.stdout
    assert ("a trace" in done.stderr) is shown


def test_bench_and_explain() -> None:
    done = repl(GREETING, commands='explain greeting greeting\nbench greeting greeting ["x"]\n')
    assert done.returncode == 0
    assert "Fused IR" in done.stdout
    assert "interpreter (public calls)" in done.stdout


def test_a_value_ends_where_it_is_wrong() -> None:
    """Commands behind a bracket that was forgotten are run: one line is part of the failure, no more."""
    commands = 'call greeting greeting ["x"\ncall greeting greeting ["y"]\ncall greeting greeting ["z"]\n'
    done = repl(GREETING, commands=commands)
    assert (done.returncode, done.stdout) == (1, '"Hi, z"\n')
    assert done.stderr.startswith("invalid args: expecting ',' delimiter at line 2 column 1\n  call greeting")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"particle": {"ttl": 1e400, "ttl": 5}}', "the key 'ttl' is repeated, and a value that it had before has a"),
        ('{"nothing": NaN}', "NaN is not a JSON number at line 1 column 13"),
        ('{"service_id": 5}', "$.service_id: a string is expected"),
    ],
)
def test_call_parameters_are_read_as_arguments_are(text: str, problem: str) -> None:
    done = repl(GREETING, commands=f'call greeting greeting ["x"] {text}\n')
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"invalid call parameters: {problem}")


def test_a_quoted_word_is_json() -> None:
    done = repl(GREETING, commands='call "gree\\x" greeting ["x"]\ncall "greeting" "greeting" ["x"]\n')
    assert (done.returncode, done.stdout) == (1, '"Hi, x"\n')
    assert done.stderr.startswith("the quoted word is not a JSON string: invalid \\escape")
