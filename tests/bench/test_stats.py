"""Slopes, spreads and verdicts: what the benchmark computes, from made-up samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from marine_gen.bench import take_turns
from tests.bench.bars import BARS, Bar, Verdict, judge
from tests.bench.gate import gate, line, passes
from tests.bench.model import CaseResult, Result, Run, Work, read_run
from tests.bench.peers.base import Contender, NotMeasuredError, sloped
from tests.bench.stats import curves_of, fit, growth, spread

FAST = Bar("twice as fast", "case", "slow", "fast", "at least", 2)
CLOSE = Bar("no more than twice the floor", "case", "slow", "fast", "at most", 2, accepted=4)


def made_run(*results: Result, name: str = "case") -> Run:
    """A run of one case."""
    return Run("today", {}, {}, {}, (CaseResult(name, "group", "title", "ns", results),))


def test_slopes_of_known_powers() -> None:
    for power in (0, 0.5, 1, 2):
        points = [(x, 3 * x**power) for x in (1, 10, 100, 1000)]
        assert fit(points) == pytest.approx(power)
        assert growth(points).linear == (power <= 1)


def test_the_tail_shows_growth_that_fixed_cost_hides() -> None:
    grown = growth([(x, 1e6 + x**2) for x in (1, 10, 100, 1000, 10_000, 100_000)])
    assert grown.slope < 1 < grown.tail
    assert not grown.linear
    flat = growth([(10_000, 5.0), (1, 5.0)])  # in any order
    assert (flat.slope, flat.tail) == (0, 0)


def test_slopes_need_two_sizes_and_positive_numbers() -> None:
    for points in ([], [(1.0, 1.0)], [(2.0, 1.0), (2.0, 3.0)], [(1.0, 0.0), (2.0, 1.0)], [(-1.0, 1.0), (2.0, 1.0)]):
        with pytest.raises(ValueError, match="slope"):
            fit(points)


def test_spread_is_between_the_quartiles() -> None:
    result = Result("peer", (10.0, 20.0, 30.0, 40.0, 1000.0), 1)
    assert (result.median, result.minimum) == (30, 10)
    assert spread(result) == pytest.approx((40 - 20) / 30)
    assert spread(Result("peer", (5.0,), 1)) == 0


def test_curves_need_two_points_of_a_peer() -> None:
    def point(x: float, *results: Result) -> CaseResult:
        return CaseResult(f"c{x}", "g", "t", "ns", results, "curve", "bytes", x)

    both = (Result("a", (3.0, 1.0), 1), Result("b", missing="gone"))
    run = Run("", {}, {}, {}, (point(2, *both), point(1, *both), point(3, Result("b", (7.0,), 1))))
    assert curves_of(run) == {"curve": {"a": [(1, 1), (2, 1)]}}


def test_a_verdict_is_the_median_of_the_ratios_of_rounds() -> None:
    run = made_run(Result("slow", (20.0, 90.0, 30.0), 1), Result("fast", (10.0, 30.0, 10.0), 1))
    (verdict,) = judge(run, [FAST])
    assert verdict.ratio == 3
    assert verdict.held


@pytest.mark.parametrize(("ratio", "held", "passing"), [(2.0, True, True), (1.7, False, True), (1.5, False, False)])
def test_the_tolerance_is_below_the_bar_only(ratio: float, held: bool, passing: bool) -> None:
    verdict = Verdict(FAST, ratio)
    assert (verdict.held, passes(verdict)) == (held, passing)


@pytest.mark.parametrize(("ratio", "word"), [(1.9, "ok"), (3.0, "near"), (4.7, "near"), (4.9, "FAIL")])
def test_a_bar_that_is_not_reached_yet_must_not_get_worse(ratio: float, word: str) -> None:
    text = line(Verdict(CLOSE, ratio), missing_fails=True)
    assert text.startswith(word)
    assert "at most 2 (not reached yet: 4 accepted)" in text


def test_what_is_missing_says_why() -> None:
    run = made_run(Result("slow", missing="not installed"), Result("fast", (1.0,), 1))
    (verdict,) = judge(run, [FAST])
    assert verdict.missing == "slow: not installed"
    assert (passes(verdict), passes(verdict, missing_fails=True)) == (True, False)
    assert line(verdict, missing_fails=False).startswith("none ")
    assert line(verdict, missing_fails=True).startswith("FAIL ")
    (verdict,) = judge(made_run(name="another"), [FAST])
    assert verdict.missing == "`case` was not measured"


def bars_run(ratio: float) -> Run:
    """A run in which every ratio of BARS is the same multiple of its limit."""
    cases = []
    for name in dict.fromkeys(bar.case for bar in BARS):
        results: dict[str, Result] = {}
        for bar in (bar for bar in BARS if bar.case == name):
            times = {bar.over: bar.limit * ratio, bar.under: 1.0}
            results |= {peer: Result(peer, (value,), 1) for peer, value in times.items() if peer not in results}
        cases.append(CaseResult(name, "g", "t", "ns", tuple(results.values())))
    return Run("", {}, {}, {}, tuple(cases))


def test_the_gate_looks_again_at_what_failed_only() -> None:
    bars = [bar for bar in BARS if bar.case == "crossing string"]
    asked: list[list[Bar]] = []

    def measure(wanted: Sequence[Bar]) -> Run:
        asked.append([bar for bar in wanted if bar in bars])
        return bars_run(3.0 if len(asked) == 1 else 1.0)

    verdicts = {verdict.bar: verdict for verdict in gate(measure)}
    assert asked[0] == asked[1] == bars
    assert all(passes(verdicts[bar]) for bar in bars)


def test_the_gate_fails_when_it_stays_slow() -> None:
    asked = 0

    def measure(wanted: Sequence[Bar]) -> Run:
        nonlocal asked
        asked += 1
        return bars_run(3.0)

    verdicts = {verdict.bar.case: verdict for verdict in gate(measure)}
    assert asked == 3
    assert not passes(verdicts["crossing string"])


def test_a_longer_loop_is_the_same_work() -> None:
    work = Work({}, "many", (10, "x"), 2**31, per=10)
    assert work.longer(10) == work.longer(1) == work
    longer = work.longer(25)
    assert (longer.arguments, longer.per) == ((30, "x"), 30)
    assert longer.expected == 3 * 2**31 % 2**32


def test_a_loop_that_is_lost_in_entering_it_is_not_measured() -> None:
    """Without an end, ever more calls would be tried."""
    long, short = Contender(lambda calls: calls * 100_000_000, per=4), Contender(lambda calls: calls * 100_000_000)
    watch = sloped(long, short).watch
    assert watch(1) == 1
    with pytest.raises(NotMeasuredError, match="varies"):
        watch(10)
    found = take_turns({"x": sloped(Contender(lambda calls: calls * 10**9, per=4), short).watch}, rounds=2, per=3)
    assert [timing.median for timing in found] == [300_000_000]


def test_a_run_reads_back(tmp_path: Path) -> None:
    run = Run(
        "today",
        {"cpu": "x", "cores": 2},
        {"mode": "quick"},
        {"a": "about"},
        (
            CaseResult("c", "g", "t", "ns", (Result("a", (1.5, 2.0), 3), Result("b", missing="ü")), "s", "bytes", 7),
            CaseResult("d", "g", "t", "bytes", ()),
        ),
    )
    run.write(tmp_path / "run.json")
    assert read_run(tmp_path / "run.json") == run


@pytest.mark.parametrize("content", ["[]", "{}", '{"format": 2}', '{"format": 1}', '{"format": 1, "cases": [{}]}', "{"])
def test_what_is_not_a_run_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ValueError):  # noqa: PT011  # bad JSON has its own words
        read_run(tmp_path / "run.json")
