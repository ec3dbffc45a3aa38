"""Every WASI function with edge arguments: a guest can't tell a shim from Wasmtime's own WASI."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from marine_runtime.wasi.functions import FUNCTIONS, PREVIEW1
from tests.support.markdown import table
from tests.support.wasi_reference import (
    ARGUMENTS,
    DESCRIPTORS,
    Outcome,
    Reference,
    Shimmed,
    cases,
    exhausts_the_host,
    outcome,
)

BADF, INVAL, NOMEM = "8", "28", "48"
PAGE = Path(__file__).parents[3] / "docs" / "wasi.md"

DIFFERENCES = {
    "descriptor first": (
        "all with a descriptor",
        "an unknown descriptor is `EBADF`, whatever else is wrong; Wasmtime checks some values and pointers first",
        "no number that is not the module's own gets any further",
    ),
    "place first": (
        "`path_open`",
        "a wrong pointer for the new descriptor is a trap before anything is opened; Wasmtime opens, then traps",
        "an open file without a descriptor could not be closed",
    ),
    "events first": (
        "`poll_oneoff`",
        "its pointers are checked before the subscriptions, and there has to be room for all events; Wasmtime checks "
        "afterwards that there is room for those that happened",
        "the subscriptions that the guest sees are its own, also after a trap",
    ),
    "many subscriptions": (
        "`poll_oneoff`",
        "more than 1024 subscriptions are `EINVAL`",
        "the memory of a shim has a fixed size",
    ),
    "more at once": (
        "`fd_write`, captured",
        "takes all pieces up to 1 MiB; Wasmtime takes the first one that is not empty, for terminals and files alike",
        "text comes to the embedder in larger parts",
    ),
    "in parts": (
        "`random_get`",
        "gives as many bytes as fit into the memory; Wasmtime makes all of them on the host first, newer versions "
        "64 MiB at most",
        "a guest must not make the host allocate memory",
    ),
    "any exit code": (
        "`proc_exit`",
        "codes from 126 on are allowed",
        "`ExitError.code` can have any of them",
    ),
}
"""Differences that a shim may have: the functions, the difference, and the reason."""


def difference(name: str, arguments: Sequence[int], wanted: Outcome, found: Outcome) -> str | None:
    """The row of the table that a difference belongs to."""
    unknown = [
        value
        for value, role in zip(arguments, ARGUMENTS[name], strict=True)
        if role == "fd" and value not in DESCRIPTORS
    ]
    if unknown and found.result == BADF:
        return "descriptor first"
    if name == "path_open" and found.result.startswith("trap: "):
        return "place first"
    if name == "poll_oneoff" and arguments[2] > 1024 and found.result == INVAL:
        return "many subscriptions"
    if name == "poll_oneoff" and found.result.startswith("trap: "):
        return "events first"
    if name == "fd_write" and arguments[0] == 1 and wanted.result == found.result == "0":
        return "more at once"
    if name == "fd_write" and arguments[2] >= 2**29 and found.result == NOMEM:
        return "more at once"  # newer versions say the same
    if name == "proc_exit" and arguments[0] > 125 and found.result == f"exit {arguments[0]}":
        return "any exit code"
    return None


@pytest.mark.parametrize("full", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["some", "full"])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_shim_answers_as_wasmtime_does(name: str, full: bool, tmp_path: Path) -> None:
    unexplained = []
    place = tmp_path / "case"
    for arguments in cases(name, full=full)[:: 1 if full else 2]:
        if exhausts_the_host(name, arguments):
            continue
        outcomes = []
        for kind in (Reference, Shimmed):
            place.mkdir()
            outcomes.append(outcome(kind, place, name, arguments))
            shutil.rmtree(place)
        wanted, found = outcomes
        if wanted != found and difference(name, arguments, wanted, found) is None:
            unexplained.append((arguments, wanted.result, found.result))
    assert unexplained == []


@pytest.mark.parametrize(("name", "result"), [("poll_oneoff", NOMEM), ("random_get", "trap: out of bounds")])
def test_no_call_exhausts_the_host(name: str, result: str, tmp_path: Path) -> None:
    calls = [arguments for arguments in cases(name) if exhausts_the_host(name, arguments)]
    assert calls
    for number, arguments in enumerate(calls):
        place = tmp_path / f"case_{number}"
        place.mkdir()
        assert outcome(Shimmed, place, name, arguments).result == result


def test_every_function_is_compared() -> None:
    assert set(ARGUMENTS) == set(FUNCTIONS[PREVIEW1])
    for name, roles in ARGUMENTS.items():
        assert len(roles) == len(FUNCTIONS[PREVIEW1][name].params), name


def test_differences_are_in_the_page() -> None:
    rows = [[functions, what, why] for functions, what, why in DIFFERENCES.values()]
    assert table(["function", "different from Wasmtime", "why"], rows) in PAGE.read_text()
