"""The list of checks is up to date, and a mutant that nobody notices is reported. `make mutants` runs them all."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.security import mutants
from tests.security.mutants import Verdict, copy_tree, main, problems
from tests.security.mutations import CHECKS, TESTS, Mutation, mutations, read

STAGES = ("closures", "codec", "fused", "linking", "staging", "wasi", "wasm")


def test_every_check_is_where_the_list_says() -> None:
    assert problems(mutations()) == []
    assert [path.stem for path in sorted(CHECKS.glob("*.txt"))] == list(STAGES)
    assert len(mutations()) > 100


def test_every_selection_of_tests_is_used_and_exists() -> None:
    used = {item.tests for item in mutations()}
    assert {tests for name, tests in TESTS.items() if name != "sharing interpreter-public"} == used
    for tests in used:
        assert all(Path(mutants.ROOT, name).is_file() for name in tests if name.endswith(".py"))


def test_a_list_is_read() -> None:
    text = "# Title\n\nfile a.py\ntests blocks\n\ncheck one\n- if x:\n-     y\n-\n+ pass\n+\n\ncheck two\n-     z\n+\n"
    assert list(read(text, "here")) == [
        Mutation("one", "a.py", "if x:\n    y\n", "pass\n", TESTS["blocks"]),
        Mutation("two", "a.py", "    z", "", TESTS["blocks"]),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "check without file\n- a\n+ b",
        "file a.py",
        "file a.py\ntests nowhere",
        "file a\ntests blocks\n\ncheck x\na",
    ],
)
def test_what_is_no_list(text: str) -> None:
    with pytest.raises(ValueError, match=r"^here: no paragraph of such a list: "):
        list(read(text, "here"))


def test_checks_that_have_moved(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    gone = Mutation("gone", "runtime/marine_runtime/adapters/codec.py", "no such source", "", TESTS["blocks"])
    often = Mutation("often", "runtime/marine_runtime/adapters/codec.py", "return", "return", TESTS["blocks"])
    monkeypatch.setattr(mutants, "mutations", lambda: [gone, often, often])
    assert main([]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "runtime/marine_runtime/adapters/codec.py: gone: the check is there 0 times"
    assert said[-1] == "two mutations have one title"


@pytest.mark.parametrize(
    ("codes", "exit_code", "words"),
    [
        ((1, 1), 0, "2 mutants: 2 killed"),
        ((1, 0), 1, "2 mutants: 1 killed, 1 survived"),
        ((-11, -1), 0, "2 mutants: 2 killed"),
        ((2, 1), 2, "2 mutants: 1 broken, 1 killed"),
    ],
)
def test_verdicts(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    codes: tuple[int, int],
    exit_code: int,
    words: str,
) -> None:
    """By the exit codes of the tests: failures, a crash and a hang kill; tests that can't be run say nothing."""
    chosen = mutations()[:2]
    given = iter(codes)
    monkeypatch.setattr(mutants, "mutations", lambda: chosen)
    monkeypatch.setattr(mutants, "healthy", lambda items: "")
    monkeypatch.setattr(mutants, "copy_tree", lambda target: None)
    monkeypatch.setattr(mutants, "judge", lambda tree, item: Verdict(item, mutants.verdict_of(next(given)), 0.0))
    assert main(["--jobs", "1"]) == exit_code
    assert capsys.readouterr().out.splitlines()[-1] == words


def test_a_tree_that_is_ill(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(mutants, "healthy", lambda items: "some tests fail without any mutant")
    assert main(["--every", "50"]) == 2
    assert "without any mutant" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--only", "no such word"], ["--every", "0"], ["--jobs", "0"]])
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_a_mutant_is_made_judged_and_undone(tmp_path: Path) -> None:
    """In a process of its own: it forks, and this one may have threads."""
    copy_tree(tmp_path)
    item = next(item for item in mutations() if item.title == "block of 4 GiB" and "codec" in item.file)
    before = (tmp_path / item.file).read_text("utf-8")
    assert judged(tmp_path, item) == "killed"
    assert (tmp_path / item.file).read_text("utf-8") == before
    assert judged(tmp_path, replace(item, new=f"{item.old}  # as before")) == "survived"


def judged(tree: Path, item: Mutation) -> str:
    """The verdict on one mutant, by another process."""
    program = f"""
from pathlib import Path, PosixPath
from tests.security.mutants import judge
from tests.security.mutations import Mutation
verdict = judge({tree!r}, {item!r})
print(verdict.word if verdict.word in ("killed", "survived") else verdict.output)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=mutants.ROOT, capture_output=True, text=True, timeout=200, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()
