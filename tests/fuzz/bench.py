"""The fuzzing bench: every target in a process of its own, one after the other, and a report of what they did.

    python -m tests.fuzz.bench [TARGET ...] [--runs N] [--seconds S] [--cases N] [--calls N] [--seed K] [--plain]
        [--output FOLDER]

`make fuzz` runs this. The corpus in the folder grows from run to run. `report.json` there has counts and findings of
the last run of each target, and beside it lie the inputs that failed. The exit code is 1 when there is a finding. The
engines are compared by `differential`; inputs are made and judged by `worker`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from marine_gen._version import __version__
from tests.fuzz.differential import CALLS, compare_many
from tests.fuzz.targets import find
from tests.fuzz.worker import HANG_SECONDS, guided, state_of
from tests.support.batches import BATCHES
from tests.support.paths import ROOT

RUNS = 10_000
CASES = 5_000
REPORT = "report.json"
_RESTARTS = 5
_COVERAGE = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")


def fuzz(name: str, folder: Path, runs: int, seconds: int, seed: int, *, plain: bool = False) -> dict[str, Any]:
    """Run one target until its executions or its time are up, also beyond what ends its process."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "findings.jsonl").unlink(missing_ok=True)
    start, executions, accepted = time.monotonic(), 0, 0
    ends: list[dict[str, str]] = []
    log = ""
    while len(ends) < _RESTARTS:
        left = max(seconds - int(time.monotonic() - start), 1) if seconds else 0
        command = [sys.executable, "-m", "tests.fuzz.worker", name, str(folder)]
        command += ["--runs", str(runs - executions), "--seconds", str(left), "--seed", str(seed + len(ends))]
        command += ["--plain"] if plain else []
        (folder / "state").unlink(missing_ok=True)  # else a worker that fails at once leaves the counts of another
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        log = done.stderr.decode(errors="replace")
        more, good, last = state_of(folder / "state") if (folder / "state").is_file() else (0, 0, b"")
        executions += more
        accepted += good
        if done.returncode == 0:
            break
        saved = f"ended-{hashlib.sha256(last).hexdigest()[:12]}"
        (folder / saved).write_bytes(last)
        reason = next((line for line in log.splitlines() if "ERROR:" in line), log[-300:])
        ends.append({"kind": f"the process ended with {done.returncode}", "message": reason, "input": saved})
        if more == 0 or executions >= runs:
            break
    rows = (folder / "findings.jsonl").read_text("utf-8") if (folder / "findings.jsonl").is_file() else ""
    coverage = _COVERAGE.findall(log)
    return {
        "executions": executions,
        "accepted": accepted,
        "seed": seed,
        "seconds": round(time.monotonic() - start),
        **({"plain": True} if plain else {}),
        **(dict(zip(("edges", "features", "corpus"), map(int, coverage[-1]), strict=True)) if coverage else {}),
        "findings": [*map(json.loads, rows.splitlines()), *ends],
    }


def report(targets: Mapping[str, Any], cases: Mapping[str, Any]) -> dict[str, Any]:
    """The report of a run, with the machine that it ran on."""
    return {
        "generator": f"marine-gen {__version__}",
        "wasmtime": version("wasmtime"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "inputs": f"atheris {version('atheris')}" if guided() else f"hypothesis {version('hypothesis')}",
        "hang_after_seconds": HANG_SECONDS,
        "executions": sum(item["executions"] for item in targets.values()),
        "cases": sum(item["cases"] for item in cases.values()),
        "findings": sum(len(item["findings"]) for item in (*targets.values(), *cases.values())),
        "targets": dict(targets),
        "differential": dict(cases),
    }


def _earlier(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows of an earlier report of the same versions."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}, {}
    fresh = report({}, {})
    if any(document[key] != fresh[key] for key in ("generator", "wasmtime", "python")):
        return {}, {}
    return document["targets"], document["differential"]


def _write(path: Path, targets: Mapping[str, Any], cases: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(report(targets, cases), indent=2) + "\n", "utf-8")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=…", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("targets", nargs="*", help="some of the targets, or `differential`; all of them by default")
    parser.add_argument("--runs", type=int, default=RUNS, help="executions per target (default: %(default)s)")
    parser.add_argument("--cases", type=int, default=CASES, help="calls compared, per kind (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=CALLS, help="calls per random service (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=0, help="the most time per target; none by default")
    parser.add_argument("--seed", type=int, default=1, help="start of the random numbers (default: %(default)s)")
    parser.add_argument("--plain", action="store_true", help="inputs from Hypothesis, also where atheris is installed")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "fuzz", help="where the report goes")
    given = parser.parse_args()
    try:
        chosen = [item.name for item in find([name for name in given.targets if name != "differential"])]
    except KeyError as error:
        parser.error(f"there is no target {error}")
    if given.targets == ["differential"]:
        chosen = []
    kinds = [*BATCHES] if not given.targets or "differential" in given.targets else []
    given.output.mkdir(parents=True, exist_ok=True)
    targets, cases = _earlier(given.output / REPORT)
    for name in chosen:
        targets[name] = fuzz(name, given.output / name, given.runs, given.seconds, given.seed, plain=given.plain)
        _tell(name, targets[name]["executions"], "executions", targets[name])
        _write(given.output / REPORT, targets, cases)
    for kind in kinds:
        cases[kind] = compare_many(kind, given.cases, given.seconds, given.seed, given.output, calls=given.calls)
        _tell(kind, cases[kind]["cases"], "cases", cases[kind])
        _write(given.output / REPORT, targets, cases)
    document = report(targets, cases)
    print(f"{document['executions']:,} executions, {document['cases']:,} cases, {document['findings']} findings")
    print(f"report: {given.output / REPORT}")
    sys.exit(1 if document["findings"] else 0)


def _tell(name: str, count: int, what: str, row: Mapping[str, Any]) -> None:
    print(f"{name:16} {count:>10,} {what} in {row['seconds']} s, {len(row['findings'])} findings", flush=True)
    for item in row["findings"]:
        print(f"    {item['kind']}: {item['message'][:200]}\n    input: {item['input']}", flush=True)


if __name__ == "__main__":
    main()
