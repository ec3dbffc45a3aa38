"""Runs one target in a process of its own: guided by coverage where atheris is installed, else drawn by Hypothesis.

    python -m tests.fuzz.worker TARGET FOLDER --runs N --seconds S --seed K [--plain]

An unexpected exception is written down and the run goes on. A hang, a crash or too much memory ends the process; what
it was doing is left in the file `state`, which `bench` reads. Nothing here starts processes or writes reports.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import importlib.util
import json
import mmap
import struct
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.memory_use import peak
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from tests.fuzz.targets import Target

HANG_SECONDS = 30
MEMORY_MEGABYTES = 2048
MAX_INPUT = 1 << 16

_HEAD = struct.Struct("<QQQ")


def guided() -> bool:
    """True if inputs are guided by coverage here."""
    return importlib.util.find_spec("atheris") is not None


def state_of(path: Path) -> tuple[int, int, bytes]:
    """Executions, how many of them were accepted, and the last input, from a `state` file."""
    data = path.read_bytes()
    executions, accepted, length = _HEAD.unpack_from(data)
    return executions, accepted, data[_HEAD.size : _HEAD.size + length]


def dictionary_entry(token: bytes) -> str:
    """A token as a dictionary of libFuzzer spells it."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in token) + '"'


class Recorder:
    """Executes a target, counts, and keeps what is unexpected: one file per kind of exception and place."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target = target
        self._folder = folder
        self._seen: set[str] = set()
        self._executions = self._accepted = 0
        with (folder / "state").open("w+b") as file:
            file.truncate(_HEAD.size + MAX_INPUT)
            self._state = mmap.mmap(file.fileno(), 0)

    def __call__(self, data: bytes) -> None:
        data = bytes(data[:MAX_INPUT])
        self._executions += 1
        self._write_head(len(data))
        self._state[_HEAD.size : _HEAD.size + len(data)] = data
        try:
            self._accepted += self._target.accepts(data)
        except Exception as error:
            self._keep(error, data)
        self._write_head(len(data))

    def _write_head(self, length: int) -> None:
        _HEAD.pack_into(self._state, 0, self._executions, self._accepted, length)

    def _keep(self, error: Exception, data: bytes) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        place = "; ".join(f"{Path(frame.filename).name}:{frame.name}:{frame.lineno}" for frame in frames[-2:])
        key = f"{type(error).__name__} at {place}"
        if key in self._seen:
            return
        self._seen.add(key)
        name = f"{type(error).__name__}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
        (self._folder / name).write_bytes(data)
        row = {"kind": key, "message": str(error)[:500], "input": name}
        with (self._folder / "findings.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _guided(target: Target, recorder: Recorder, folder: Path, runs: int, seconds: int, seed: int) -> None:
    import atheris

    dictionary = folder / "dictionary"
    dictionary.write_text("".join(f"{dictionary_entry(token)}\n" for token in target.dictionary() if len(token) < 60))
    corpus, seeds = folder / "corpus", folder / "seeds"
    for directory in (corpus, seeds):
        directory.mkdir(exist_ok=True)
    for data in target.seeds():
        (seeds / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    options = {
        "runs": runs,
        "max_total_time": seconds,
        "seed": seed,
        "timeout": HANG_SECONDS,
        "rss_limit_mb": MEMORY_MEGABYTES,
        "max_len": 4096,
        "dict": dictionary,
        "artifact_prefix": f"{folder}/",
        "print_final_stats": 1,
    }
    flags = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(corpus), str(seeds)], recorder)
    atheris.Fuzz()


def _drawn(target: Target, recorder: Recorder, runs: int, seconds: int, seed: int) -> None:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    from tests.fuzz.inputs import inputs

    end = time.monotonic() + seconds if seconds else float("inf")
    strategy = inputs(target)
    round_size = 500
    for position in range(0, runs, round_size):

        @seeded(seed + position)
        @settings(
            max_examples=min(round_size, runs - position),
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def run(data: bytes) -> None:
            faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
            recorder(data)

        run()
        used = peak() >> 20
        if used > MEMORY_MEGABYTES:
            sys.exit(f"ERROR: {used} MiB of memory used")
        if time.monotonic() > end:
            break
    faulthandler.cancel_dump_traceback_later()


def covered_modules() -> Iterator[str]:
    """The modules that look into the code of their own functions (`wasm.covered`), and need it as it is."""
    root = ROOT / "runtime"
    for path in (root / "marine_runtime").rglob("*.py"):
        if "covered" in path.read_text("utf-8"):
            yield ".".join(path.relative_to(root).with_suffix("").parts)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true")
    given = parser.parse_args()
    by_coverage = guided() and not given.plain
    given.folder.mkdir(parents=True, exist_ok=True)
    if by_coverage:
        import atheris

        # Code is instrumented while it is imported, so nothing of it may be imported before.
        packages, left = ["marine_gen", "marine_runtime"], list(covered_modules())
        with atheris.instrument_imports(include=packages, exclude=left, enable_loader_override=False):
            from tests.fuzz.targets import find
    else:
        from tests.fuzz.targets import find
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", category=UserWarning, message=".*(total_memory_limit|keys of older versions)")
    (target,) = find([given.target])
    recorder = Recorder(target, given.folder)
    if by_coverage:
        _guided(target, recorder, given.folder, given.runs, given.seconds, given.seed)
    else:
        _drawn(target, recorder, given.runs, given.seconds, given.seed)


if __name__ == "__main__":
    main()
