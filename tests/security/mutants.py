"""Removes each check that keeps guests in their place, one at a time, and shows that a test notices.

    python -m tests.security.mutants [--every N] [--only WORD] [--jobs N]

The checks and the few tests that have to fail without them are in `checks`. Works on copies of the tree; the tree
itself is not touched. Prints a line for each mutant; the exit code is 1 when one survived, 2 when the list is out of
date. With MARINE_GEN_COUNT=1 a whole run is written down for the security page.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing.queues import SimpleQueue
from pathlib import Path

# Imported for the children, which have them at once: whatever the tree imports of others.
import click  # noqa: F401
import jinja2  # noqa: F401
import lark  # noqa: F401
import platformdirs  # noqa: F401
import pytest
import rich.table  # noqa: F401
import wasmtime

from marine_gen.wasm_backend.library import with_numbers
from tests.security.counts import COUNTING, count
from tests.security.mutations import Mutation, mutations
from tests.security.tags import Tag, replaced, sources, tags, text_of
from tests.support.paths import ROOT
from tests.support.pytests import own_root

_COPIED = ("marine_gen", "runtime", "grammar", "tests", "examples")
_OURS = ("marine_gen", "marine_runtime", "tests")
_WORD = re.compile(r"(?<!\w)(?<![if]32\.)(?<![if]64\.)[A-Za-z_]\w*")  # but instructions of Wasm
_NOT_RUN = (2, 3, 4, 5)  # collection failed, internal error, usage, no tests
LONGEST = 180
"""Seconds after which tests that hang are ended, and count as failed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a mutant: `killed`, `survived`, or `broken` when its tests could not be run."""

    mutation: Mutation
    word: str
    seconds: float
    output: str = ""


def problems(items: list[Mutation], marked: list[Tag]) -> list[str]:
    """Mistakes of the list: checks that are not there once, marks without a check, odd replacements."""
    times = Counter(tag.name for tag in marked)
    places = {tag.name: tag for tag in marked}
    wanted = {item.tag for item in items}
    unused = [tag for tag in marked if tag.name not in wanted]
    found = [f"{tag.file}:{tag.mark + 1}: no list has the check `{tag.name}`" for tag in unused]
    if len(set(map(str, items))) != len(items):
        found.append("two mutations have one title")
    for item in items:
        if times[item.tag] != 1:
            found.append(f"{item}: the check is there {times[item.tag]} times")
        elif problem := _unusable(item, places):
            found.append(f"{item}: {problem}")
    return found


def _unusable(item: Mutation, places: Mapping[str, Tag]) -> str:
    """The reason why a replacement proves nothing: tests would fail of it whatever they check, or never."""
    file, source, made = mutant(ROOT, item, places)
    same = "\n".join(text_of(source, places[item.tag]))
    if made == mutant(ROOT, replace(item, new=same), places)[2]:
        return "nothing is changed"
    if file.endswith(".py"):
        try:
            compile(made, file, "exec", dont_inherit=True)
        except SyntaxError as error:
            return f"without it, the file does not compile: {error}"
    if file.endswith(".wat"):
        try:
            wasmtime.wat2wasm(with_numbers(made))  # validation would start threads, which a forked child lacks
        except wasmtime.WasmtimeError as error:
            return f"without it, the file is no text of Wasm: {error}"
    if strange := sorted(set(_WORD.findall(item.new)) - _words()):
        return f"the replacement has words that occur nowhere in the source: {', '.join(strange)}"
    return ""


@cache
def _words() -> frozenset[str]:
    """Every word of the source: a name that is none of them was renamed since."""
    return frozenset(word for path in sources(ROOT) for word in _WORD.findall(path.read_text("utf-8")))


def mutant(root: Path, item: Mutation, places: Mapping[str, Tag]) -> tuple[str, str, str]:
    """The file that a mutant is in, its text, and that of the mutant."""
    tag = places[item.tag]
    source = (root / tag.file).read_text("utf-8")
    return tag.file, source, replaced(source, tag, item.new)


def copy_tree(target: Path) -> None:
    """Copy the part of the tree that tests need."""
    for name in _COPIED:
        shutil.copytree(
            ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", ".cache", "node_modules")
        )
    shutil.copy(ROOT / "pyproject.toml", target)


def run_tests(tree: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """Run some tests on a copy, in a child of this process; pytest's exit code, or a negative one after a signal.

    Forking saves most of the time that starting takes: everything but the tree itself is already imported.
    """
    with tempfile.TemporaryFile() as said, own_root() as variables:
        child = os.fork()
        if child == 0:
            code = 3
            try:
                os.environ.update(variables)
                code = _in_child(tree, tests, said.fileno())
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return os.waitstatus_to_exitcode(status), said.read().decode(errors="replace")


def _in_child(tree: Path, tests: tuple[str, ...], output: int) -> int:
    signal.alarm(LONGEST)  # tests that hang die of it
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(tree)
    for name in [name for name in sys.modules if name.partition(".")[0] in _OURS]:
        del sys.modules[name]
    sys.path[:0] = [str(tree), str(tree / "runtime")]
    sys.dont_write_bytecode = True
    os.environ["PYTHONPATH"] = f"{tree}:{tree / 'runtime'}"
    # Explaining how two large values differ takes longer than all the rest. Some configurations are marked `slow`.
    quick = ("-x", "-q", "-p", "no:cacheprovider", "--no-header", "--assert=plain", "--tb=short", "-m", "")
    return int(pytest.main([*quick, *tests]))


def judge(tree: Path, item: Mutation) -> Verdict:
    """Make the mutant, run its tests, and undo it."""
    file, source, made = mutant(tree, item, {tag.name: tag for tag in tags(tree)})
    (tree / file).write_text(made, encoding="utf-8")
    start = time.monotonic()
    try:
        code, output = run_tests(tree, item.tests)
    finally:
        (tree / file).write_text(source, encoding="utf-8")
    return Verdict(item, verdict_of(code), time.monotonic() - start, output)


def verdict_of(code: int) -> str:
    """The word for an exit code of pytest, or a negative number. A crash or a hang kills as well as a failure."""
    return "survived" if code == 0 else "broken" if code in _NOT_RUN else "killed"


_tree = Path()


def _take_tree(trees: SimpleQueue[Path]) -> None:
    global _tree  # one for each process of the pool
    _tree = trees.get()


def _work(item: Mutation) -> Verdict:
    verdict = judge(_tree, item)
    print(f"{verdict.word:8} {verdict.seconds:5.1f} s  {item}", flush=True)
    return verdict


def judge_all(items: list[Mutation], jobs: int) -> list[Verdict]:
    """All verdicts, in order; each is printed when it is there."""
    context = multiprocessing.get_context("fork")
    trees: SimpleQueue[Path] = context.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="marine-mutants-") as folder:
        for number in range(jobs):
            copy_tree(Path(folder) / str(number))
            trees.put(Path(folder) / str(number))
        if jobs == 1:
            _take_tree(trees)
            return list(map(_work, items))
        with context.Pool(jobs, _take_tree, (trees,)) as pool:
            return pool.map(_work, items, chunksize=1)


def healthy(items: list[Mutation]) -> str:
    """The verdict of the chosen tests about the tree as it is; nothing when they pass."""
    with tempfile.TemporaryDirectory(prefix="marine-mutants-") as folder:
        copy_tree(Path(folder))
        for tests in sorted({item.tests for item in items}):
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
    known = mutations()
    marked = list(tags())
    if found := problems(known, marked):
        print("\n".join(found), file=sys.stderr)
        return 2
    files = {tag.name: tag.file for tag in marked}
    chosen = [item for item in known if options.only in f"{item} {files[item.tag]}"][:: options.every]
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
    if COUNTING and len(chosen) == len(known):
        count("mutants", {"mutants": len(words), "killed": words.count("killed")})
    return 2 if "broken" in words else 1 if "survived" in words else 0


if __name__ == "__main__":
    sys.exit(main())
