"""Guests that lie: no crash, no stray access, no hang, bounded memory, and the same outcome on every engine.

Cases run in processes of their own (`runs`), so that one that kills its process is named. `pytest -m slow` runs the
whole cross product, and counts it into `last_run.json` when MARINE_GEN_COUNT=1.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.security.cases import ACTS, ERRORS, HELPERS, SOON, TYPES, WAYS, Case, family
from tests.security.counts import COUNTING, count
from tests.security.maze import MAZE
from tests.security.runs import Report, run
from tests.support.engines import CONFIGURATIONS, OFTEN, Configuration
from tests.support.memory_use import forget_peak
from tests.support.samples import sampled

LATE = 2.0  # seconds of a case's own processor time, whatever else the machine does
"""Seconds that a call may take beyond its limit."""

MOST_MEMORY = 256
"""MiB of host memory that one case may take."""

QUICK = OFTEN[:2]
"""Configurations that try the sample every time: two engines on the faster call layer. The long run takes all."""

full_or_not = pytest.mark.parametrize(
    "full", [pytest.param(False, id="sample"), pytest.param(True, id="all", marks=pytest.mark.slow)]
)

everywhere = pytest.mark.parametrize("configuration", sampled(CONFIGURATIONS, QUICK.__contains__), ids=str)


@cache
def cases(full: bool) -> dict[str, Case]:
    return {case.name: case for case in family(full=full)}


@cache
def report(configuration: Configuration, full: bool) -> Report:
    return run(configuration, list(cases(full)), full=full)


def classes(said: dict[str, Any]) -> str:
    """The class of the error, or that there is none."""
    return str(said["error"][0]).partition(":")[0] if "error" in said else "a value"


def comparable(case: Case, outcomes: list[dict[str, Any]]) -> list[Any]:
    """The part of outcomes on which engines have to agree."""
    # On a busy machine a short time limit may have passed before the guest is entered.
    return [classes(said) for said in outcomes] if case.vague or case.timeout == SOON else outcomes


@full_or_not
@everywhere
def test_nothing_happens_to_the_process_or_to_others(configuration: Configuration, full: bool) -> None:
    """No signal, no abort, no exception that is not ours; canaries are as they were, and honest modules still work."""
    found = report(configuration, full)
    assert found.problems == {}
    assert set(found.outcomes) == set(cases(full))


@full_or_not
@everywhere
def test_time_is_bounded(configuration: Configuration, full: bool) -> None:
    found = report(configuration, full)
    assert {name: late for name, late in found.late.items() if late > LATE} == {}


@full_or_not
@everywhere
def test_host_memory_is_bounded(configuration: Configuration, full: bool) -> None:
    found = report(configuration, full)
    assert {name: grown for name, grown in found.grown.items() if grown > MOST_MEMORY} == {}


@full_or_not
@pytest.mark.parametrize("configuration", sampled(CONFIGURATIONS[1:], QUICK.__contains__), ids=str)
def test_every_engine_says_the_same_as_the_first(configuration: Configuration, full: bool) -> None:
    wanted, found = (report(item, full).outcomes for item in (CONFIGURATIONS[0], configuration))
    differing = {
        name: [pair for pair in zip(wanted[name], found[name], strict=True) if pair[0] != pair[1]]
        for name, case in cases(full).items()
        if not case.loose and comparable(case, wanted[name]) != comparable(case, found[name])
    }
    assert differing == {}


@full_or_not
@everywhere
def test_errors_are_of_the_class_that_says_what_happened(configuration: Configuration, full: bool) -> None:
    """A lie that ends a call in one way only, and every lie of that kind somewhere."""
    met: set[tuple[str, str]] = set()
    for name, case in cases(full).items():
        outcomes = report(configuration, full).outcomes[name]
        assert len(outcomes) == len(case.calls) or "error" in outcomes[0]
        kind = name.partition(",")[0]
        for said in outcomes:
            if case.error and "error" in said:
                met.add((kind, classes(said)))
    wanted = {(f"{helper} {act}", error) for helper in HELPERS for act, error in ERRORS.items() if act != "descend"}
    assert {pair for pair in met if not pair[0].endswith("descend")} == wanted
    assert {error for kind, error in met if kind.endswith("descend")} == {ERRORS["descend"]}


@pytest.mark.slow
def test_counts_of_the_whole_run() -> None:
    """Written down for the security page."""
    total = len(cases(True)) * len(CONFIGURATIONS)
    calls = sum(len(case.calls) or 1 for case in cases(True).values()) * len(CONFIGURATIONS)
    problems = sum(len(report(configuration, True).problems) for configuration in CONFIGURATIONS)
    late = max(max(report(configuration, True).late.values()) for configuration in CONFIGURATIONS)
    grown = max(max(report(configuration, True).grown.values()) for configuration in CONFIGURATIONS)
    if COUNTING:
        count(
            "hostile",
            {
                "cases": total,
                "calls": calls,
                "configurations": len(CONFIGURATIONS),
                "crashes": problems,
                "latest_milliseconds": round(max(late, 0) * 1000),
                "most_memory_mib": grown,
            },
        )
    assert calls > 50_000
    assert problems == 0


def test_the_sample_has_every_kind() -> None:
    """The rotation leaves no helper, act, type, way or part of the maze out."""
    names = set(cases(False))
    for helper in HELPERS:
        for act in ACTS[1:]:
            assert any(name.startswith(f"{helper} {act}, ") for name in names), (helper, act)
    called = {function.partition("_")[2] or function for case in cases(False).values() for _, function, _ in case.calls}
    assert called >= set(TYPES)
    for way in WAYS:
        assert any(name.endswith(f", {way}") for name in names)
    assert {f"maze {title}, at" for title in MAZE.entries} <= names
    assert any(case.timeout == SOON for case in cases(False).values())


@pytest.mark.skipif(not forget_peak(), reason="the system tells of a process's whole life only")
def test_memory_is_measured_for_each_case() -> None:
    """Whatever this process takes, from which workers come, and whatever a case before it took."""
    ballast = b"x" * ((MOST_MEMORY + 100) << 20)
    names = [f"drill: {name}" for name in ("calm", "take memory", "take it again", "calm again")]
    found = run(CONFIGURATIONS[0], names, full=False)
    del ballast
    assert found.problems == {}
    assert [found.grown[name] > MOST_MEMORY for name in names] == [False, True, True, False]


def test_a_death_is_attributed_to_its_case() -> None:
    """Every death is of the case that it belongs to; the ones before and after it are run."""
    wanted = {
        "abort": "died of SIGABRT",
        "fault": "died of SIGSEGV",
        "hang": "a hang",
        "leave": "the process ended with 0",
        "raise": "ZeroDivisionError: not one of ours",
        "write to staging": "the bytes of the staging memory from 48 on have changed",
        "write to a neighbour": "an honest module's memory was written to",
    }
    found = run(CONFIGURATIONS[0], [f"drill: {name}" for name in ("calm", *wanted, "calm again")], full=False, hang=3)
    assert found.problems.keys() == {f"drill: {name}" for name in wanted}
    for name, words in wanted.items():
        assert words in found.problems[f"drill: {name}"]
    assert {"drill: calm", "drill: calm again"} <= found.outcomes.keys()
