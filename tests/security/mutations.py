"""Reads the checks that keep guests in their place, and what the code would be without each: `checks/*.txt`.

    tests bounds interpreter-fast

    check depth of records
    + if False:
    + ...

    check depth of records, off by one
    + if depth > MAX_RECORD_DEPTH:
    + ...

`tests` names an entry of `TESTS` and holds until the next one. In the list `codec.txt`, the check `depth of records` is
marked `check: codec depth of records` in the source, see `tags`; words behind a comma tell mutants of one mark from
each other. The lines behind `+` take the place of what the mark stands for; `...` is all of it but its first line.
Without any, it goes; a `+` alone is an empty line. Code that moves takes its mark along. Running the mutants is done in
`mutants`.
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
    "short values": ("tests/unit/wasm_backend/test_words.py",),
    "lifting": ("tests/unit/wasm_backend/test_verify.py",),
    "lifted": ("tests/unit/wasm/test_lifting.py",),
    "batches": ("tests/engines/test_batch.py", "-k", "equal_to_single_calls and text"),
    "host glue": (
        "tests/engines/fused/test_host_glue.py",
        "tests/engines/fused/test_host_calls.py",
        "-k",
        "not random",
    ),
    "host calls": ("tests/engines/fused/test_host_calls.py", "-k", "not random"),
    "packed": ("tests/engines/fused/test_packed.py", "-k", "not random"),
    "endless allocate": ("tests/engines/fused/test_mixed.py", "-k", "allocator_calls"),
    "ranges": ("tests/engines/test_failures.py", "-k", "fused-fast or closures-fast or interpreter-fast"),
    "wasi": ("tests/runtime/wasi/test_functions.py", "tests/security/test_sleep.py", "-k", "interpreter"),
    "isolation": ("tests/runtime/wasi/test_isolation.py", "-k", "interpreter"),
    "wasi services": (
        "tests/runtime/wasi/test_services.py",
        "tests/runtime/wasi/test_captured_output.py",
        "-k",
        "interpreter",
    ),
    "wasi directories": ("tests/runtime/wasi/test_directories.py", "-k", "interpreter or padding"),
    "components": (
        *("tests/component/test_logger.py", "tests/component/test_wasi.py", "tests/component/test_host_functions.py"),
        *("tests/component/test_misfits.py", "-k"),
        "message or own_directory or host_does_not_give or wrong_pointers or random_bytes or does_not_have or "
        "looked_at or results_need or verified or two_types or refusals or shared or not_valid",
    ),
    "component staging": ("tests/component/test_staging.py",),
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
        title: what is missing, behind the name of the list.
        new: what stands there without the check.
        tests: arguments of pytest: tests of which one has to fail.
    """

    title: str
    new: str
    tests: tuple[str, ...]

    @property
    def tag(self) -> str:
        """The words of the mark in the source."""
        return self.title.partition(", ")[0]

    def __str__(self) -> str:
        return self.title


def mutations() -> list[Mutation]:
    """All of them, file by file."""
    return [item for path in sorted(CHECKS.glob("*.txt")) for item in read(path.read_text("utf-8"), path.stem)]


def read(text: str, name: str) -> Iterator[Mutation]:
    """The mutations of the list of that name.

    Raises:
        ValueError: a paragraph is none of the list's.
    """
    tests: tuple[str, ...] = ()
    for paragraph in re.split(r"\n{2,}", text.strip("\n")):
        lines = paragraph.splitlines()
        match lines[0].split(" ", 1):
            case ["#", _]:
                continue
            case ["tests", chosen] if len(lines) == 1 and chosen in TESTS:
                tests = TESTS[chosen]
            case ["check", title] if tests and {line[:2] for line in lines[1:]} <= {"+ ", "+"}:
                yield Mutation(f"{name} {title}", "\n".join(line[2:] for line in lines[1:]), tests)
            case _:
                raise ValueError(f"{name}.txt: no paragraph of such a list: {paragraph!r:.200}")
