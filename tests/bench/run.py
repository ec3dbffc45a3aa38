"""The benchmark: every case with every peer, in turns, in one run.

    python -m tests.bench.run [--quick] [--only WORD]… [--peer NAME]… [--npm FOLDER] [--output FILE]

Writes the samples as JSON to .venv-bench/report, and beside it the page that `report` makes of them; a full run writes
the documentation too, docs/benchmarks.*, condensed. A peer that is not there, can't do a
case or gives a wrong result is kept in the JSON with the reason.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from marine_gen.artifact.tiers import optimised
from marine_gen.bench import Stopwatch, describe_machine, take_turns
from marine_gen.bench.measure import format_time
from marine_runtime.config.cache_directory import CACHE_VARIABLE
from tests.bench.cases import all_cases
from tests.bench.model import IN_BYTES, STARTED, Case, CaseResult, Result, Run, Unit
from tests.bench.page import SLOPE
from tests.bench.peers import open_peers
from tests.bench.peers.base import Contender, NotMeasuredError, Peer, sloped
from tests.bench.peers.marine_js import AVM
from tests.bench.report import JSON, write_report
from tests.support.paths import ROOT

PRIVATE = ROOT / ".venv-bench"
NPM = PRIVATE / "npm"
CASE_SECONDS = 3.0
"""Seconds that the rounds of a case may take; slow cases have fewer rounds, and still no fewer than `FEWEST`."""

FEWEST = 3
_ONE_SHOT = ("first call", "process", "memory", "resident", "cold answer", *STARTED)
"""Kinds of which each sample starts a process."""


def measure(case: Case, peers: Iterable[Peer], *, rounds: int, min_time: float) -> CaseResult:
    """One case with all peers."""
    missing: dict[str, str] = {}
    ready: dict[str, Contender] = {}
    names = []
    timings = {}
    with ExitStack() as stack:
        for peer in peers:
            names.append(peer.name)
            if not case.work.modules:
                missing[peer.name] = "its module from npm is not installed; `make bench` installs it"
                continue
            try:
                made = peer.prepare(case, stack)
                if case.crossing and made.per > 1:
                    made = sloped(made, peer.prepare(replace(case, work=case.work.once()), stack))
            except NotMeasuredError as error:
                missing[peer.name] = str(error)
                continue
            except Exception as error:  # a peer that breaks is part of the result
                missing[peer.name] = f"failed: {_words(error)}"
                continue
            if _is_wrong(made.result, case.work.expected):
                missing[peer.name] = "gave another result than the others"
            else:
                ready[peer.name] = made
        while ready:
            try:
                timings = _time(case, ready, rounds, min_time)
                break
            except _BrokenOffError as error:
                # The others are measured again, without it.
                cause = error.__cause__
                not_measured = isinstance(cause, NotMeasuredError)
                missing[error.peer] = str(cause) if not_measured else f"failed while it was timed: {cause}"
                del ready[error.peer]
    results = (
        Result(name, timings[name].samples, timings[name].calls)
        if name in timings
        else Result(name, missing=missing[name])
        for name in names
    )
    unit: Unit = "bytes" if case.kind in IN_BYTES else "ns"
    return CaseResult(case.name, case.group, case.title, unit, tuple(results), case.series, case.axis, case.x)


def _words(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _time(case: Case, ready: dict[str, Contender], rounds: int, min_time: float) -> dict[str, Any]:
    one_shot = case.kind in _ONE_SHOT
    watches = {name: partial(_watched, name, made.watch) for name, made in ready.items()}
    least = 0 if one_shot else min_time
    # One call each, for what a round takes at least.
    seconds = sum(max(watch(1) / 1e9, least) for watch in watches.values()) if rounds > FEWEST and not one_shot else 0
    taken = take_turns(
        watches,
        rounds=min(rounds, FEWEST) if one_shot else affordable_rounds(rounds, seconds),
        min_time=least,
        per={name: made.per for name, made in ready.items()},
    )
    return {timing.name: timing for timing in taken}


def affordable_rounds(rounds: int, seconds: float) -> int:
    """So many rounds that a case stays within its time, but not fewer than three.

    Args:
        rounds: how many there are at most.
        seconds: what one round of all peers takes.
    """
    return rounds if seconds * rounds <= CASE_SECONDS else max(FEWEST, int(CASE_SECONDS / seconds))


class _BrokenOffError(Exception):
    """A peer failed while it was timed; the cause says how."""

    def __init__(self, peer: str) -> None:
        super().__init__(peer)
        self.peer = peer


def _watched(peer: str, watch: Stopwatch, calls: int) -> int:
    try:
        return watch(calls)
    except Exception as error:
        raise _BrokenOffError(peer) from error


def _is_wrong(result: Any, expected: Any) -> bool:
    return result is not None and expected is not None and not same(result, expected)


def same(result: Any, expected: Any) -> bool:
    """True if a result is the expected plain value; JSON has lists for bytes and objects for records."""
    if isinstance(expected, tuple):
        items = list(result.values()) if isinstance(result, dict) else result
        return isinstance(items, (list, tuple)) and len(items) == len(expected) and all(map(same, items, expected))
    if isinstance(expected, bytes) and isinstance(result, list):
        return result == list(expected)
    if isinstance(expected, list):
        return isinstance(result, list) and len(result) == len(expected) and all(map(same, result, expected))
    return bool(result == expected)


def machine_description() -> dict[str, str | int]:
    """The machine, with the memory that it has."""
    described = describe_machine().to_json()
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        described["memory"] = f"{int(lines[0].split()[1]) / 2**20:.1f} GiB"
    except (OSError, ValueError, IndexError):
        described["memory"] = "unknown"
    return described


def run(arguments: argparse.Namespace, say: Callable[[str], None] = print) -> Run:
    """Measure what was asked for."""
    rounds, min_time = (3, 0.005) if arguments.quick else (9, 0.02)
    npm = arguments.npm
    cases = [case for case in all_cases(npm / AVM) if _chosen(case, arguments.only)]
    load_before = os.getloadavg()[0]
    began = perf_counter()
    with ExitStack() as stack:
        os.environ[CACHE_VARIABLE] = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(optimised())
        peers = [peer for peer in open_peers(npm, stack) if not arguments.peer or peer.name in arguments.peer]
        about = {peer.name: peer.about for peer in peers}
        results = []
        for case in cases:
            start = perf_counter()
            results.append(measure(case, peers, rounds=rounds, min_time=min_time))
            say(
                f"{case.name}: {len([1 for item in results[-1].results if item.samples])} peers, "
                f"{format_time((perf_counter() - start) * 1e9)}"
            )
    settings = {
        "mode": "quick" if arguments.quick else "full",
        "rounds": rounds,
        "seconds per sample": min_time,
        "between modules": SLOPE,
        "minutes": round((perf_counter() - began) / 60, 1),
        "load before": round(load_before, 2),
        "load after": round(os.getloadavg()[0], 2),
    }
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Run(date, machine_description(), settings, about, tuple(results))


def _chosen(case: Case, words: Sequence[str]) -> bool:
    return not words or any(word in case.name or word == case.group for word in words)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.run", description="Measure everything.")
    parser.add_argument("--quick", action="store_true", help="few and short rounds, to see that everything works")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="cases with that in their name")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME", help="these peers alone")
    parser.add_argument("--npm", type=Path, default=NPM, help="where the npm packages are")
    parser.add_argument("--output", type=Path, help="the JSON file to write")
    given = parser.parse_args(arguments)
    if not any(_chosen(case, given.only) for case in all_cases(given.npm / AVM)):
        parser.error(f"no case has {' or '.join(given.only)} in its name")
    whole = not (given.quick or given.only or given.peer)
    output = given.output or PRIVATE / "report" / JSON.name
    output.parent.mkdir(parents=True, exist_ok=True)
    run(given, lambda line: print(line, file=sys.stderr, flush=True)).write(output)
    for path in (output, *write_report(output, docs=whole)):
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
