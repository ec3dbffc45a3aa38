"""Removes each check that keeps guests in their place, one at a time, and shows that a test notices.

    python -m tests.security.mutants [--every N] [--only WORD] [--jobs N]

The checks and the few tests that have to fail without them are in `mutations`. Works on copies of the tree; the tree itself
is not touched. Prints a line for each mutant; the exit code is 1 when one survived, 2 when the list is out of date. With
MARINE_GEN_COUNT=1 a whole run is written down for the security page.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.security.counts import COUNTING, count
from tests.security.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
_COPIED = ("marine_gen", "runtime", "grammar", "tests", "examples")
_FAILED = 1  # what pytest's exit code says when tests ran and some failed
_NOT_RUN = (2, 4, 5)  # collection failed, usage, no tests
LONGEST = 180
"""Seconds after which tests that hang count as failed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: `killed`, `survived`, or `broken` when its tests could not be run."""

    mutation: Mutation
    word: str
    seconds: float
    output: str = ""


def problems(mutations: list[Mutation]) -> list[str]:
    """What is wrong with the list: checks that are not where it says, or not once."""
    found = []
    for item in mutations:
        times = (ROOT / item.file).read_text("utf-8").count(item.old)
        if times != 1:
            found.append(f"{item}: the check is there {times} times")
        if item.old == item.new:
            found.append(f"{item}: nothing is changed")
    if len(set(map(str, mutations))) != len(mutations):
        found.append("two mutations have one title")
    return found


def copy_tree(target: Path) -> None:
    """What tests need of the tree."""
    for name in _COPIED:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", ".cache", "node_modules"))
    shutil.copy(ROOT / "pyproject.toml", target)


def run_tests(tree: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """Run some tests on a copy; the exit code, or -1 when they hang."""
    environment = {**os.environ, "PYTHONPATH": f"{tree}:{tree / 'runtime'}", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, ""
    return done.returncode, done.stdout + done.stderr


def judge(tree: Path, item: Mutation) -> Verdict:
    """Make the mutant, run its tests, and undo it. A crash or a hang of the tests kills as well as a failure."""
    path = tree / item.file
    source = path.read_text("utf-8")
    path.write_text(source.replace(item.old, item.new), encoding="utf-8")
    start = time.monotonic()
    try:
        code, output = run_tests(tree, item.tests)
    finally:
        path.write_text(source, encoding="utf-8")
    word = "survived" if code == 0 else "broken" if code in _NOT_RUN else "killed"
    return Verdict(item, word, time.monotonic() - start, output)


def judge_all(mutations: list[Mutation], jobs: int) -> list[Verdict]:
    """All verdicts, in order; each is printed when it is there."""
    with tempfile.TemporaryDirectory(prefix="marine-mutants-") as folder, ThreadPoolExecutor(jobs) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(jobs):
            tree = Path(folder) / str(number)
            copy_tree(tree)
            trees.put(tree)

        def work(item: Mutation) -> Verdict:
            tree = trees.get()
            try:
                verdict = judge(tree, item)
            finally:
                trees.put(tree)
            print(f"{verdict.word:8} {verdict.seconds:5.1f} s  {item}", flush=True)
            return verdict

        return list(pool.map(work, mutations))


def healthy(mutations: list[Mutation]) -> str:
    """What the chosen tests say about the tree as it is; nothing when they pass."""
    with tempfile.TemporaryDirectory(prefix="marine-mutants-") as folder:
        copy_tree(Path(folder))
        for tests in sorted({item.tests for item in mutations}):
            code, output = run_tests(Path(folder), tests)
            if code:
                return f"{' '.join(tests)} fails without any mutant:\n{output[-3000:]}"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="mutants", description="Remove each check in turn; a test has to notice.")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth mutant")
    parser.add_argument("--only", default="", metavar="WORD", help="only mutants with this word in their title or file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="how many at a time")
    options = parser.parse_args(arguments)
    if options.every < 1 or options.jobs < 1:
        parser.error("numbers must be positive")
    if found := problems(MUTATIONS):
        print("\n".join(found), file=sys.stderr)
        return 2
    chosen = [item for item in MUTATIONS if options.only in str(item)][:: options.every]
    if not chosen:
        parser.error(f"no mutant has `{options.only}` in its title or file")
    if sick := healthy(chosen):
        print(sick, file=sys.stderr)
        return 2
    verdicts = judge_all(chosen, options.jobs)
    words = [verdict.word for verdict in verdicts]
    for verdict in verdicts:
        if verdict.word == "broken":
            print(f"\n{verdict.mutation} can't be judged:\n{verdict.output[-2000:]}", file=sys.stderr)
    print(f"{len(words)} mutants: {', '.join(f'{words.count(word)} {word}' for word in sorted(set(words)))}")
    if COUNTING and len(chosen) == len(MUTATIONS):
        count("mutants", {"mutants": len(words), "killed": words.count("killed")})
    return 2 if "broken" in words else 1 if "survived" in words else 0


if __name__ == "__main__":
    sys.exit(main())
