"""The list of checks is up to date, and a mutant that nobody notices is reported. `make mutants` runs them all."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import wasmtime

from marine_gen.wasm_backend.library import with_numbers
from tests.security import mutants
from tests.security.mutants import Verdict, copy_tree, main, problems
from tests.security.mutations import CHECKS, TESTS, Mutation, mutations, read
from tests.security.tags import replaced, tags, tags_of, text_of

STAGES = ("closures", "codec", "component", "fused", "host", "lifting", "linking", "staging", "wasi", "wasm")


def test_every_check_is_where_the_list_says() -> None:
    assert problems(mutations(), list(tags())) == []
    assert [path.stem for path in sorted(CHECKS.glob("*.txt"))] == list(STAGES)
    assert len(mutations()) > 100


def test_every_selection_of_tests_is_used_and_exists() -> None:
    used = {item.tests for item in mutations()}
    assert {tests for name, tests in TESTS.items() if name != "sharing interpreter-public"} == used
    for tests in used:
        assert all(Path(mutants.ROOT, name).is_file() for name in tests if name.endswith(".py"))


def test_a_list_is_read() -> None:
    text = "# Title\n\ntests blocks\n\ncheck one\n\ncheck one, off by one\n+ if y:\n+\n+     z\n+ ...\n"
    assert list(read(text, "list")) == [
        Mutation("list one", "", TESTS["blocks"]),
        Mutation("list one, off by one", "if y:\n\n    z\n...", TESTS["blocks"]),
    ]
    assert {item.tag for item in read(text, "list")} == {"list one"}


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "check without tests\n+ b",
        "tests nowhere",
        "tests blocks\n\ncheck x\na",
        "tests blocks\n\ncheck x\n- a",
        "file a.py",
        "file a\ntests blocks\n\ncheck x\n+ a",
    ],
)
def test_what_is_no_list(text: str) -> None:
    with pytest.raises(ValueError, match=r"^here\.txt: "):
        list(read(text, "here"))


SOURCE = """
def f(size):
    if size > 3:  # check: list size
        raise ValueError(
            size
        )

    # check: list long line
    return g(
        size
    ) + 1
    (if (i32.eqz  ;; check: list wasm text
          (local.get 0))
      (then (return)))
    more
"""


@pytest.mark.parametrize(
    ("name", "new", "lines"),
    [
        ("size", "", ["def f(size):", "", "    # check: list long line"]),
        ("size", "if False:\n...", ["def f(size):", "    if False:", "        raise ValueError("]),
        ("size", "if size:\n    pass", ["def f(size):", "    if size:", "        pass", ""]),
        ("long line", "return 0", ["        )", "", "    return 0", "    (if (i32.eqz  ;; check: list wasm text"]),
        ("wasm text", "nop", ["    ) + 1", "    nop", "    more"]),
        ("wasm text", "(if (i32.ne\n...", ["    ) + 1", "    (if (i32.ne", "          (local.get 0))"]),
    ],
)
def test_a_mark_stands_for_what_its_line_begins(name: str, new: str, lines: list[str]) -> None:
    (tag,) = [tag for tag in tags_of(SOURCE, "a.py") if tag.name == f"list {name}"]
    assert "\n".join(["", *lines, ""]) in replaced(SOURCE, tag, new)
    unmarked = SOURCE.replace("    # check: list long line\n", "").replace("  # check: list size", "")
    whole = replaced(SOURCE, tag, "\n".join(text_of(SOURCE, tag)))
    assert whole.replace("    # check: list long line\n", "").replace("  # check: list size", "") == (
        unmarked.replace("  ;; check: list wasm text", "") if name == "wasm text" else unmarked
    )


def test_marks_and_checks_that_do_not_match(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runtime").mkdir()
    (tmp_path / "marine_gen").mkdir()
    line = "if size > 3:  # check: list {}\n    raise ValueError(size)\n"
    source = "".join(map(line.format, ("good", "double", "double", "unused", "same", "broken", "strange")))
    (tmp_path / "runtime" / "a.py").write_text(source)
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    mutants._words.cache_clear()
    news = {"good": "", "double": "", "missing": "", "same": "if size > 3:\n...", "broken": "if:"}
    items = [Mutation(f"list {title}", new, TESTS["blocks"]) for title, new in news.items()]
    items.append(Mutation("list strange", "if width:\n...", TESTS["blocks"]))
    found = problems(items, list(tags(tmp_path)))
    mutants._words.cache_clear()
    assert found == [
        "runtime/a.py:7: no list has the check `list unused`",
        "list double: the check is there 2 times",
        "list missing: the check is there 0 times",
        "list same: nothing is changed",
        "list broken: without it, the file does not compile: invalid syntax (a.py, line 11)",
        "list strange: the replacement has words that occur nowhere in the source: width",
    ]


def test_a_replacement_that_is_no_wasm() -> None:
    (item,) = (item for item in mutations() if item.title == "fused UTF-8: end of the string")
    (problem,) = problems([replace(item, new="(i32.const 1")], [tag for tag in tags() if tag.name == item.tag])
    assert problem.startswith("fused UTF-8: end of the string: without it, the file is no text of Wasm: ")


def test_mutants_of_the_library_are_valid_wasm() -> None:
    places = {tag.name: tag for tag in tags()}
    items = [item for item in mutations() if places[item.tag].file.endswith(".wat")]
    assert len(items) >= 30
    engine = wasmtime.Engine()
    for item in items:
        made = mutants.mutant(mutants.ROOT, item, places)[2]
        wasmtime.Module.validate(engine, wasmtime.wat2wasm(with_numbers(made)))


def test_checks_that_have_moved(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    gone = Mutation("gone", "", TESTS["blocks"])
    monkeypatch.setattr(mutants, "mutations", lambda: [gone, gone])
    assert main([]) == 2
    said = capsys.readouterr().err.splitlines()
    assert "gone: the check is there 0 times" in said
    assert "two mutations have one title" in said


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
    monkeypatch.setattr(mutants, "problems", lambda items, marked: [])  # the other marks have no check now
    monkeypatch.setattr(mutants, "healthy", lambda items: "")
    monkeypatch.setattr(mutants, "copy_tree", lambda target: None)
    monkeypatch.setattr(mutants, "judge", lambda tree, item: Verdict(item, mutants.verdict_of(next(given)), 0.0))
    assert main(["--jobs", "1"]) == exit_code
    assert capsys.readouterr().out.splitlines()[-1] == words


def test_a_tree_that_is_ill(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(mutants, "problems", lambda items, marked: [])  # another test looks for them
    monkeypatch.setattr(mutants, "healthy", lambda items: "some tests fail without any mutant")
    assert main(["--every", "50"]) == 2
    assert "without any mutant" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--only", "no such word"], ["--every", "0"], ["--jobs", "0"]])
def test_wrong_arguments(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mutants, "problems", lambda items, marked: [])
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.slow
def test_a_mutant_is_made_judged_and_undone(tmp_path: Path) -> None:
    """In a process of its own: it forks, and this one may have threads."""
    copy_tree(tmp_path)
    item = next(item for item in mutations() if item.title == "wasm clock between elements")
    (tag,) = [tag for tag in tags(tmp_path) if tag.name == item.tag]
    before = (tmp_path / tag.file).read_text("utf-8")
    assert judged(tmp_path, item) == "killed"
    assert (tmp_path / tag.file).read_text("utf-8") == before
    same = "\n".join(text_of(before, tag))
    assert judged(tmp_path, replace(item, new=f"{same}  # as before")) == "survived"


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
