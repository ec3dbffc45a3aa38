"""Reads the checks that keep guests in their place, and what the code would be without each: `checks/*.txt`.

    file runtime/marine_runtime/adapters/codec.py
    tests bounds interpreter-fast

    check depth of records
    - if depth >= MAX_RECORD_DEPTH:
    + if False:

`file` and `tests` hold until the next ones; `tests` names an entry of `TESTS`. The lines behind `-` are an exact piece
of the file, which occurs once; those behind `+` take its place. A sign alone is an empty line, and as the last one a
line break at the end. When code moves, the list has to follow: a piece that is not found is an error. Running the
mutants is done in `mutants`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKS = Path(__file__).with_name("checks")

_BOUNDS = "tests/security/test_bounds.py"
_SHARING = "tests/security/test_sharing.py"
_FAST = ("fused-fast", "closures-fast", "interpreter-fast", "interpreter-public")

TESTS: dict[str, tuple[str, ...]] = {
    **{f"bounds {name}": (_BOUNDS, "-k", name) for name in _FAST},
    **{f"sharing {name}": (_SHARING, "-k", name) for name in _FAST},
    "instructions": ("tests/engines/test_instructions.py", "-k", "test_instructions and from_i32"),
    "clock": (_SHARING, "-k", "clock"),
    "blocks": ("tests/security/test_blocks.py",),
    "refusals": ("tests/security/test_refusals.py",),
    "staging": (
        *("tests/security/test_refusals.py", "tests/engines/fused/test_staging.py"),
        *("-k", "larger_than_staging or fast or grow"),
    ),
    "endless allocate": ("tests/engines/fused/test_mixed.py", "-k", "allocator_calls"),
    "ranges": ("tests/engines/test_failures.py", "-k", "fused-fast or closures-fast or interpreter-fast"),
    "wasi": ("tests/runtime/wasi/test_functions.py", "tests/security/test_sleep.py", "-k", "interpreter"),
    "isolation": ("tests/runtime/wasi/test_isolation.py", "-k", "interpreter"),
    "wasi services": ("tests/runtime/wasi/test_services.py", "-k", "interpreter"),
    "depth": ("tests/security/test_depth.py", "-k", "not fused"),  # there, the calls stay in Wasm
    "sleep": ("tests/security/test_sleep.py", "-k", "fused-fast"),
    "linking": (
        *(
            "tests/runtime/linking/test_linker.py",
            "tests/runtime/host/test_functions.py",
            "tests/runtime/wasi/test_services.py",
        ),
        *("tests/security/test_refusals.py", "-k", "interpreter or test_refusals or need_memory or do_not_fit"),
    ),
}
"""Arguments of pytest for a few tests of which one has to fail, by the name under which checks ask for them."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One check less.

    Attributes:
        title: what is missing.
        file: below the root of the repository.
        old: the source, as it is.
        new: the source without the check.
        tests: arguments of pytest: tests of which one has to fail.
    """

    title: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}: {self.title}"


def mutations() -> list[Mutation]:
    """All of them, file by file."""
    return [item for path in sorted(CHECKS.glob("*.txt")) for item in read(path.read_text("utf-8"), path.name)]


def read(text: str, where: str) -> Iterator[Mutation]:
    """The mutations of one list.

    Raises:
        ValueError: a paragraph is none of the list's.
    """
    file, tests = "", ()
    for paragraph in re.split(r"\n{2,}", text.strip("\n")):
        lines = paragraph.splitlines()
        match lines[0].split(" ", 1):
            case ["#", _]:
                continue
            case ["file", str(file)] if len(lines) == 2 and lines[1].removeprefix("tests ") in TESTS:
                tests = TESTS[lines[1].removeprefix("tests ")]
            case ["check", title] if file and {line[:2] for line in lines[1:]} <= {"- ", "+ ", "-", "+"}:
                old, new = ("\n".join(line[2:] for line in lines[1:] if line[0] == sign) for sign in "-+")
                yield Mutation(title, file, old, new, tests)
            case _:
                raise ValueError(f"{where}: no paragraph of such a list: {paragraph!r:.200}")
