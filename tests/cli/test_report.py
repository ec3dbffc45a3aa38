"""Messages: causes, excerpts, colours, and text that must not reach a terminal as it is."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner

from marine_gen.cli import cli
from marine_gen.cli.app import COMMANDS
from marine_gen.console.report import clean, report_diagnostics, report_error, wants_colour
from marine_gen.diagnostics import Code, Diagnostic, SourceSpan
from marine_runtime.errors import CallError, LinkError, Site


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_control_characters_become_escapes() -> None:
    assert clean("a\x1b[2J\n\t\x7f\x9b\u202e\u2028\ud800é😀") == r"a\x1b[2J\n\t\x7f\x9b\u202e\u2028\ud800é😀"


def test_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert wants_colour(Terminal())
    assert not wants_colour(io.StringIO())
    assert not wants_colour(None)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(Terminal())
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "dumb")
    assert not wants_colour(Terminal())


def test_words_are_the_same_with_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    report_error(LinkError("a\x1b"))
    assert terminal.getvalue() == "\x1b[31m\x1b[1merror\x1b[0m: a\\x1b\n"


def test_causes(capsys: pytest.CaptureFixture[str]) -> None:
    inner = CallError("it broke", Site("b", "f", "export", 2, "call-core 6"))
    outer = CallError("failed in module `b`", Site("a", "b.f", "import", 1, "call-core 7"))
    outer.__cause__ = inner
    inner.__cause__ = KeyError("x")
    inner.__cause__.__cause__ = outer  # a circle must not hang
    report_error(outer)
    assert capsys.readouterr().err.splitlines() == [
        "error: module `a`, import adapter of `b.f`, instruction #1 `call-core 7`: failed in module `b`",
        "  caused by: module `b`, export adapter of `f`, instruction #2 `call-core 6`: it broke",
        "  caused by: KeyError: 'x'",
    ]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError(2, "No such file or directory", "x"), "`x`: No such file or directory"),
        (OSError("odd"), "odd"),
        (MemoryError(), "out of memory"),
        (
            ImportError("no module named x"),
            "the installation is incomplete: no module named x; `marine-gen doctor` says more",
        ),
        (
            ZeroDivisionError("one"),
            "internal error: ZeroDivisionError: one; this is a fault of marine-gen, `--debug` shows where",
        ),
    ],
)
def test_other_errors(capsys: pytest.CaptureFixture[str], error: Exception, text: str) -> None:
    report_error(error)
    assert capsys.readouterr().err == f"error: {text}\n"


def lines_of(capsys: pytest.CaptureFixture[str], diagnostic: Diagnostic) -> list[str]:
    report_diagnostics([diagnostic])
    return capsys.readouterr().err.splitlines()


def test_without_excerpt_a_diagnostic_is_its_own_text(capsys: pytest.CaptureFixture[str]) -> None:
    for span in (SourceSpan(line=1, column=3, end_column=5), SourceSpan(offset=7, section="interface-types"), None):
        diagnostic = Diagnostic(
            Code.OPERAND_TYPE, "m", "missing.it", span, "adapter", "label", ("note one", "note two"), "help"
        )
        assert lines_of(capsys, diagnostic) == str(diagnostic).splitlines()


def test_excerpts(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "a.it"
    path.write_text("\n\n\tone two\r\n" + "x" * 200 + "\n\x1b\n\n")
    place = {"code": Code.TEXT_SYNTAX, "message": "m", "source": str(path)}
    shown = lines_of(capsys, Diagnostic(**place, span=SourceSpan(line=3, column=6, end_column=9), label="here"))
    assert shown[2:] == ["   |", " 3 |  one two", "   |      ^^^ here"]
    beyond = lines_of(capsys, Diagnostic(**place, span=SourceSpan(line=3, column=9, end_column=99)))
    assert beyond[2:] == ["   |", " 3 |  one two", "   |         ^"]
    for line in (4, 5, 6, 99):  # too long, hostile, empty, not there
        assert len(lines_of(capsys, Diagnostic(**place, span=SourceSpan(line=line, column=1, end_column=2)))) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    for option in ("-h", "--help"):
        result = CliRunner().invoke(cli, [command, option])
        assert result.exit_code == 0
        assert f"marine-gen {command}" in result.stdout.split("Example")[1]


def test_the_group() -> None:
    runner = CliRunner()
    result = runner.invoke(cli, ["--help"])
    assert result.exit_code == 0
    assert "marine-gen completion bash" in result.stdout
    listed = [line.split()[0] for line in result.stdout.split("Commands:\n")[1].split("\n\n")[0].splitlines()]
    assert tuple(listed) == COMMANDS
    assert runner.invoke(cli, ["--version"]).stdout.startswith("marine-gen ")
    assert runner.invoke(cli, ["nope"]).exit_code == 2
    assert runner.invoke(cli, []).exit_code == 2
    assert runner.invoke(cli, ["set"]).exit_code == 2


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ("help", "--help"),
        ("help it", "it --help"),
        ("--debug help set version", "set version --help"),
    ],
)
def test_help_is_a_command_too(words: str, same: str) -> None:
    shown = CliRunner().invoke(cli, words.split())
    assert (shown.exit_code, shown.output) == (0, CliRunner().invoke(cli, same.split()).output)


def test_help_for_nothing() -> None:
    shown = CliRunner().invoke(cli, ["help", "nothing"])
    assert (shown.exit_code, "No such command 'nothing'" in shown.output) == (2, True)


def test_faults_of_ours_are_messages_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr("marine_gen.cli.commands.it.read_bytes", fail)
    result = CliRunner().invoke(cli, ["it", "x.wasm"])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: internal error: RuntimeError: oops; ")
    monkeypatch.setattr("marine_gen.cli.commands.it.write_text", fail)
    assert "Traceback" in CliRunner().invoke(cli, ["--debug", "it", "x.wasm"]).stderr
