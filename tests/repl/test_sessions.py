"""Whole sessions, compared with golden ones on every engine and call layer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marine_gen.repl.commands.general import QUIT
from tests.guests.descriptions import GUESTS_FOLDER
from tests.support.engines import HOST_SIDE, Configuration
from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.paths import ROOT
from tests.support.repl import transcript

CASES = load_cases(GOLDEN / "repl" / "sessions.txt")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place with the files that sessions name."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("configuration", HOST_SIDE, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.usefixtures("folder")
def test_session_prints_what_is_expected(
    case: Case, configuration: Configuration, service: Callable[..., Path]
) -> None:
    names, *lines = case.input.split("\n")
    target = service(*names.split()) if names else None
    shown = transcript(target, lines, engine=configuration.engine, call_layer=configuration.call_layer)
    case.check(shown.replace(f"`engine {configuration.engine}`", "`engine NAME`").rstrip("\n"))


@pytest.mark.parametrize("configuration", HOST_SIDE, ids=str)
@pytest.mark.parametrize("end", [["trace"], ["quit"], []], ids=["trace", "quit", "end of input"])
def test_recorded_calls_are_written_at_the_end_of_the_session_at_the_latest(
    configuration: Configuration, service: Callable[..., Path], tmp_path: Path, end: list[str]
) -> None:
    path = tmp_path / "trace.json"
    lines = [f"trace {path}", 'call shrek greeting ["x"]', "new", *end]
    shown = transcript(
        service("donkey", "shrek"), lines, engine=configuration.engine, call_layer=configuration.call_layer
    )
    assert "fail" not in shown
    events = json.loads(path.read_text("utf-8"))["traceEvents"]
    assert [(event["cat"], event["name"]) for event in events if event["ph"] == "X" and event["cat"] != "init"] == [
        ("call", "shrek.greeting"),
        ("import", "donkey.greeting"),
    ]


def test_modules_that_are_loaded_while_calls_are_recorded(service: Callable[..., Path], tmp_path: Path) -> None:
    """Fused glue would hide what they call."""
    path = tmp_path / "trace.json"
    lines = [f"trace {path}", f"load shrek {GUESTS_FOLDER / 'shrek.wasm'}", 'call shrek greeting ["x"]', "trace"]
    transcript(service("donkey"), lines)
    names = [event["name"] for event in json.loads(path.read_text("utf-8"))["traceEvents"] if event["ph"] == "X"]
    assert names[-2:] == ["shrek.greeting", "donkey.greeting"]


PIECES = [
    *("call", "load", "unload", "new", "engine", "timeout", "explain", "source", "wat", "envs", "fs", "stats", "-nr"),
    *("greeting", "donkey", "nobody", "closures", "fused", "0.5", "missing.wasm", "-", "'", '"'),
    *("[", "]", "{", "}", ",", ":", '"x"', '["x"]', '{"name": "x"}', '{"service_id": []}', "null", "1e999", "\\"),
]


def stays(line: str) -> bool:
    """Tell lines that end the session, which a drawn text may happen to do, from others."""
    return line.split()[:1] not in [[name] for name in QUIT.names]


LINES = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=6).map(" ".join).filter(stays)


@given(st.lists(LINES, max_size=6))
@settings(max_examples=60)
def test_no_line_is_too_strange(lines: list[str]) -> None:
    shown = transcript(GUESTS_FOLDER / "greeting.wasm", [*lines, "timeout 30", "interface"])
    assert "internal error" not in shown
    assert shown.rstrip("\n").rpartition("\n\n")[2].startswith("exported functions:")
