"""Has workers run hostile cases, one process after another, and tells which case a process died of."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.engines import Configuration
from tests.support.paths import ROOT


@dataclass(slots=True)
class Report:
    """The outcomes that workers of one configuration told.

    Attributes:
        outcomes: by case: what loading or each call gave.
        problems: by case: a crash, a hang, a changed canary, an exception that is not one of ours.
        grown: by case: MiB that its worker took at most, beyond what it had before.
        late: by case: seconds that its latest call took beyond its limit.
    """

    outcomes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    grown: dict[str, int] = field(default_factory=dict)
    late: dict[str, float] = field(default_factory=dict)


def run(configuration: Configuration, names: Sequence[str], *, full: bool, hang: float | None = None) -> Report:
    """Run the named cases of the family; a worker that dies is replaced, and the next case is the next one's first."""
    report = Report()
    left = list(names)
    while left:
        asked = {"full": full, "names": left} | ({} if hang is None else {"hang": hang})
        worker = subprocess.run(
            [sys.executable, "-m", "tests.security.worker", configuration.engine, configuration.call_layer],
            cwd=ROOT,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
        )
        begun = _take(report, worker.stdout)
        if begun is not None:
            report.problems[begun] = _death(worker.returncode, worker.stderr)
        elif worker.returncode:
            raise AssertionError(f"a worker ended between cases: {_death(worker.returncode, worker.stderr)}")
        done = [name for name in left if name in report.outcomes or name in report.problems]
        assert done, worker.stderr
        left = [name for name in left if name not in done]
    return report


def _take(report: Report, said: str) -> str | None:
    """Note what a worker said; gives the case that it began and did not end."""
    begun = None
    for line in said.splitlines():
        told = json.loads(line)
        if "begin" in told:
            begun = told["begin"]
            continue
        name = told["end"]
        assert name == begun
        begun = None
        report.outcomes[name] = told["outcomes"]
        report.grown[name], report.late[name] = told["grown"], told["late"]
        if told["problem"]:
            report.problems[name] = told["problem"]
    return begun


def _death(code: int, stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    if code < 0:
        return f"the process died of {signal.Signals(-code).name}\n{stderr[-3000:]}"
    if lines and lines[0].startswith("Timeout"):
        return f"a hang\n{stderr[-3000:]}"
    return f"the process ended with {code}\n{stderr[-3000:]}"
