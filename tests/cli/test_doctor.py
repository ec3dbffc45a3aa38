"""`marine-gen doctor`: a healthy installation, and what it says about a broken one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from marine_gen.artifact import ENGINES
from marine_gen.cli import probe
from marine_runtime.wasm import api, open_runtime

Run = Callable[..., Result]


def states(result: Result) -> dict[str, tuple[str, str]]:
    return {check["name"]: (check["state"], check["detail"]) for check in json.loads(result.stdout)}


def test_healthy(run: Run) -> None:
    result = run("doctor", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    found = states(result)
    assert {state for state, _ in found.values()} == {"ok"}
    assert found["calls"][1] == f"{open_runtime().name} layer"
    assert found["public layer"][1] == "calls, callbacks, memory, exceptions and traps work"
    assert found["engines"][1].startswith(", ".join(ENGINES))
    assert "tried with 2." in found["ray"][1]
    assert found["marine-runtime"][1] == found["marine-gen"][1]
    assert found["speedups"][1].split(", ")[-1].split("; ")[0] in (
        "absent",
        "on",
        "because MARINE_SPEEDUPS=0 turns it off",
    )
    assert "lark " in found["libraries"][1]
    assert "fast layer" in run("doctor").stdout


def test_a_runtime_of_another_version_is_broken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marine_gen.cli.probe.probe", lambda layer: None)
    monkeypatch.setattr("marine_runtime.__version__", "9.0")
    monkeypatch.setenv("MARINE_GEN_SECRET", "value")
    result = run("doctor", "--json")
    assert result.exit_code == 1
    assert states(result)["marine-runtime"][1].startswith("9.0; the compiler has ")
    assert "MARINE_GEN_SECRET" in states(result)["environment"][1]
    assert "value" not in result.stdout


def test_ray_of_another_version_is_a_warning(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for installed, state in (("2.60.0", "ok"), ("2.99.0", "warning")):
        monkeypatch.setattr("marine_gen.cli.probe.probe", lambda layer: None)
        monkeypatch.setattr("importlib.metadata.version", lambda name, found=installed: found)
        result = run("doctor", "--json")
        assert (result.exit_code, states(result)["ray"][0]) == (0, state)
        assert states(result)["ray"][1].startswith(f"{installed}, tried with ")


def test_an_accelerator_of_no_use_is_a_warning(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marine_gen.cli.probe.probe", lambda layer: None)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9.0")
    for reason, off, state in ((None, False, "ok"), ("it is turned off", True, "ok"), ("it is old", False, "warning")):
        monkeypatch.setattr("marine_runtime.wasm.speedups_problem", lambda found=reason: found)
        monkeypatch.setattr("marine_runtime.wasm.speedups_turned_off", lambda found=off: found)
        detail = "9.0, on" if reason is None else f"9.0, off, because {reason}"
        assert states(run("doctor", "--json"))["speedups"] == (state, detail)


def test_unusable_cache_is_a_warning(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    monkeypatch.setenv("MARINE_GEN_CACHE", str(cache))
    monkeypatch.setattr("marine_gen.cli.probe.probe", lambda layer: None)
    result = run("doctor", "--json")
    state, detail = states(result)["cache"]
    assert (result.exit_code, state) == (0, "warning")
    assert f"`{cache}`, can't be used" in detail


def test_broken_layer(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marine_gen.cli.probe.probe", lambda layer: "it crashed with signal 11")
    result = run("doctor", "--json")
    assert result.exit_code == 1
    assert states(result)["fast layer"] == ("broken", "it crashed with signal 11")


def test_a_check_that_fails_is_a_finding(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no engine")

    monkeypatch.setattr("marine_runtime.wasm.open_runtime", fail)
    result = run("doctor", "--json")
    assert result.exit_code == 1
    assert states(result)["layers"] == ("broken", "RuntimeError: no engine")


def test_probe_notices_wrong_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(probe.problems("public")) == []
    monkeypatch.setattr(api.Memory, "read", lambda self, ptr, size: bytes(size))
    monkeypatch.setattr("marine_runtime.wasm.public.PublicMemory.read", lambda self, ptr, size: bytes(size))
    assert list(probe.problems("public")) == ["memory does not read back what was written, or does not grow"]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import os; os.kill(os.getpid(), 11)", "it crashed with signal 11"),
        ("raise SystemExit(3)", "it failed with exit code 3"),
        ("raise ValueError('odd')", "ValueError: odd"),
    ],
)
def test_probe_survives_what_its_process_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, problem: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert probe.probe("fast") == problem


def test_probe_without_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    found = probe.probe("fast")
    assert found is not None
    assert found.startswith("it could not be tested: ")
