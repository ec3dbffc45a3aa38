"""Starts, first loads and `submit` beside an earlier commit, as ratios of processor time in one interleaved run.

    python -m tests.bench.against [--base COMMIT] [--new PYTHON] [--rounds N] [--only TEXT]

Each side is an environment of its own, made once in the temporary folder; `--new` names an interpreter in the place of
HEAD's. Every sample is a process. `load` rows count the second load of a process, out of a cache that was emptied; the
others count the process, with what it starts and waits for. `submit` counts what a call of 100 µs costs beyond itself.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from tests.bench.modules import chain, echo
from tests.bench.pools import CALLS
from tests.bench.shapes import SHAPES
from tests.support.engines import guests
from tests.support.paths import ROOT

BASE = "a0de678"
FUNCTIONS = 256

_BUILD = """
import json, sys
import marine_gen
marine_gen.build(json.loads(sys.argv[1]), sys.argv[2])
"""

_FIRST = """
import sys, marine_runtime
with marine_runtime.load(sys.argv[1]) as service:
    assert service.modules.greeting.greeting("x") == "Hi, x"
"""

_LOAD = """
import gc, json, os, shutil, sys, time
import marine_gen
modules = json.loads(sys.argv[1])
marine_gen.load(modules).close()
shutil.rmtree(os.environ["MARINE_GEN_CACHE"])
gc.collect()
began = time.process_time()
service = marine_gen.load(modules)
print(time.process_time() - began)
service.close()
"""

_SUBMIT = """
import json, os, sys, time
import marine_runtime
from marine_runtime.pool import ServicePool

def used(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

if __name__ == "__main__":
    row, calls = json.loads(sys.argv[2]), 4000
    with marine_runtime.load(sys.argv[1]) as service:
        for _ in range(200):
            service.call("bench_pure", "plain", row)
        began = time.thread_time()
        for _ in range(calls):
            service.call("bench_pure", "plain", row)
        alone = time.thread_time() - began
    with ServicePool(sys.argv[1], workers=2) as pool:
        def send(count):
            for future in [pool.submit("bench_pure", "plain", row) for _ in range(count)]:
                future.result()
        send(1000)
        tasks = [f"/proc/self/task/{task}/children" for task in os.listdir("/proc/self/task")]
        children = [child for task in tasks for child in open(task).read().split()]
        before = time.process_time() + sum(map(used, children))
        for _ in range(calls // 1000):
            send(1000)
        print(time.process_time() + sum(map(used, children)) - before - alone)
"""


def environment(commit: str) -> Path:
    """The interpreter of an environment with the packages of a commit, made once."""
    sha = subprocess.check_output(["git", "-C", ROOT, "rev-parse", "--short=12", commit], text=True).strip()
    folder = Path(tempfile.gettempdir()) / "marine-gen-against" / sha
    python = folder / "venv" / "bin" / "python"
    if not (folder / "ok").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "source").exists():
            subprocess.run(["git", "clone", "--quiet", ROOT, folder / "source"], check=True)
        subprocess.run(["git", "-C", folder / "source", "checkout", "--quiet", sha], check=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder / "venv"], check=True)
        # Until there was a distribution of its own, the runtime was in the compiler's.
        parts = [part for part in ("runtime", ".") if (folder / "source" / part / "pyproject.toml").exists()]
        packages = [str(folder / "source" / part) for part in parts]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        (folder / "ok").touch()
    return python


class Side:
    """One of the two: an interpreter, and a cache of its own."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._python = python
        self._folder = folder
        folder.mkdir()
        self._environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._environment["MARINE_GEN_CACHE"] = str(folder / "cache")

    def build(self, modules: str) -> Path:
        """The built directory of a service, whose paths are an object of JSON."""
        made = self._folder / f"built{zlib.crc32(modules.encode())}"
        if not made.exists():
            self._run(["-c", _BUILD, modules, str(made)], {})
        return made

    def process(self, command: Sequence[str], extra: Mapping[str, str]) -> float:
        """Seconds of a process, with those that it waited for."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._run(command, extra)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def printed(self, command: Sequence[str], *, cold: bool) -> float:
        """Seconds that a program prints; `cold` gives it an empty cache."""
        if not cold:
            return float(self._run(command, {}))
        with tempfile.TemporaryDirectory(dir=self._folder) as cache:
            return float(self._run(command, {"MARINE_GEN_CACHE": cache}))

    def _run(self, command: Sequence[str], extra: Mapping[str, str]) -> str:
        return subprocess.run(
            [self._python, "-P", *command],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment | extra,
            cwd=self._folder,
            timeout=300,
        ).stdout


class Rows:
    """The rows, and the modules that they load."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._greeting = self._written("greeting", guests("greeting"))
        self._pure = self._written("pure", guests("bench_effector", "bench_pure"))
        self._cold = {
            "load cold, one module": self._greeting,
            "load cold, three modules": self._written("chain", chain(3)),
            f"load cold, {FUNCTIONS} functions": self._written("many", {"many": echo(SHAPES["string"], FUNCTIONS)}),
        }

    def _written(self, name: str, modules: Mapping[str, bytes]) -> str:
        paths = {}
        for module, wasm in modules.items():
            file = self._folder / name / f"{module}.wasm"  # commands take the name of a module from it
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(wasm)
            paths[module] = str(file)
        return json.dumps(paths)

    def table(self) -> dict[str, Callable[[Side], float]]:
        """Functions that give seconds of processor time, by the names of the rows."""
        run = ["-m", "marine_gen", "run", json.loads(self._greeting)["greeting"], "greeting.greeting", '["x"]']
        return {
            "process, built": lambda side: side.process(["-c", _FIRST, str(side.build(self._greeting))], {}),
            "process, built, nothing written": lambda side: side.process(
                ["-c", _FIRST, str(side.build(self._greeting))], {"PYTHONDONTWRITEBYTECODE": "1"}
            ),
            "run": lambda side: side.process(run, {}),
            "--version": lambda side: side.process(["-m", "marine_gen", "--version"], {}),
            **{row: partial(_load_cold, modules) for row, modules in self._cold.items()},
            "submit 100 µs": lambda side: side.printed(
                ["-c", _SUBMIT, str(side.build(self._pure)), CALLS["100 µs"]], cold=False
            ),
        }


def _load_cold(modules: str, side: Side) -> float:
    return side.printed(["-c", _LOAD, modules], cold=True)


def main() -> None:
    """Print a line for each row: the ratio, its median over the rounds, and that of the minima."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.against", description=__doc__)
    parser.add_argument("--base", default=BASE)
    parser.add_argument("--new", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    options = parser.parse_args()
    pythons = {"base": environment(options.base), "new": options.new or environment("HEAD")}
    with tempfile.TemporaryDirectory() as folder:
        rows = Rows(Path(folder)).table()
        sides = {name: Side(python, Path(folder, name)) for name, python in pythons.items()}
        for row, sample in rows.items():
            if options.only not in row:
                continue
            found: dict[str, list[float]] = {name: [] for name in sides}
            for number in range(options.rounds + 1):  # the first one fills caches
                for name in sorted(sides, reverse=bool(number % 2)):
                    seconds = sample(sides[name])
                    if number:
                        found[name].append(seconds)
            ratio = median(new / base for new, base in zip(found["new"], found["base"], strict=True))
            least = min(found["new"]) / min(found["base"])
            base, new = (min(found[name]) * 1e3 for name in ("base", "new"))
            print(f"{row}: {ratio:.3f} (minima {least:.3f}; {base:.1f} -> {new:.1f} ms)", flush=True)


if __name__ == "__main__":
    main()
