"""Programs that start: whole processes, from their start to their end, and the first answer of a service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from marine_runtime.config.cache_directory import CACHE_VARIABLE
from tests.bench.model import Case
from tests.bench.peers.base import Contender, no_result
from tests.support.paths import ROOT

_FIRST_CALL = """
import sys
import marine_runtime
service = marine_runtime.load(sys.argv[1])
print(service.call(*sys.argv[2:4], sys.argv[4:]))
"""


def run_command(case: Case, built: Path, target: Path, cache: Path) -> Contender:
    """A stopwatch over programs, for the kinds of `STARTED`.

    Args:
        case: gives the kind, and a function of texts.
        built: the service as `marine-gen build` writes it.
        target: the same as a `.wasm` file.
        cache: the cache directory of the programs, which the first one fills.
    """
    function, texts = case.work.function, list(case.work.arguments)
    commands: dict[str, list[str]] = {
        "process unwritten": ["-c", _FIRST_CALL, str(built), case.work.module, function, *texts],
        "command run": ["-m", "marine_gen", "run", str(target), f"{case.work.module}.{function}", json.dumps(texts)],
        "command version": ["-m", "marine_gen", "--version"],
    }
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {CACHE_VARIABLE: str(cache), "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])}
    command = [sys.executable, "-P", *commands[case.kind]]
    said = _output(command, environment)  # compiled Python is written by this one
    if case.kind == "process unwritten":
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    watch = timed(lambda: no_result(lambda: _output(command, environment)))
    expected = str(case.work.expected)
    right = case.kind == "command version" or said.strip().strip('"') == expected
    return Contender(watch, case.work.expected if right else said)


def timed(run: Callable[[], Any]) -> Callable[[int], int]:
    """A stopwatch over something that is run so many times."""

    def watch(calls: int) -> int:
        began = perf_counter_ns()
        for _ in range(calls):
            run()
        return perf_counter_ns() - began

    return watch


def _output(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "a program failed")
    return done.stdout
