"""The report of a stored run, the committed pages, and the plots. Nothing is measured."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from marine_gen.artifact import ENGINES
from tests.bench.answers import HEADLINES
from tests.bench.cases import all_cases
from tests.bench.model import POINTS, CaseResult, Result, Run, read_run
from tests.bench.page import make_page
from tests.bench.peers import BASELINE
from tests.bench.peers.floors import EmptyCall
from tests.bench.peers.native_marine import NATIVE, NATIVES
from tests.bench.plots import WIDTH, bars, colours, curves
from tests.bench.report import DOCS, JSON, PLOTS, documents, main, render
from tests.bench.stats import condense, with_last
from tests.bench.tables import (
    BEGIN,
    COLUMNS,
    END,
    ENGINE_COLUMNS,
    ENGINE_WORDS,
    ROWS,
    engines,
    engines_page,
)
from tests.support.golden import check_file
from tests.support.paths import ROOT

HOSTILE = '<script>alert("x")</script> | `y`'


def stored() -> Run:
    """The committed run."""
    return read_run(JSON)


def small() -> Run:
    """A run with everything that is special: a missing peer, bytes, a curve, hostile texts."""
    machine: dict[str, str | int] = {"cpu": HOSTILE, "cores": 2, "python": "CPython", "wasmtime": "1"}
    ours, other = Result("fused", (100.0, 110.0, 90.0), 5), Result("by hand", (4000.0, 4400.0, 3600.0), 2)
    cases = [
        CaseResult("greeting", "Calls", 'greeting("John")', "ns", (ours, other, Result("gone", missing=HOSTILE))),
        CaseResult(
            "memory", "Memory", "memory", "bytes", (Result("fused", (2048.0,), 1), Result("gone", missing="off"))
        ),
    ]
    for size in (1, 10, 100):
        results = (Result("fused", (float(size**2),), 1), Result("by hand", (5.0 * size,), 1))
        cases.append(CaseResult(f"curve {size}", "Points", "curve", "ns", results, "a curve", "bytes", size))
    peers = {"fused": "ours", "by hand": "`code`", "gone": "absent"}
    return Run("today", machine, {"mode": "quick", "load before": 3.5}, peers, tuple(cases))


def test_the_committed_pages_and_pictures_are_what_the_run_gives() -> None:
    made = documents(stored())
    for path, text in made.items():
        check_file(path, text)
    assert {path.name for path in PLOTS.glob("*.svg")} == {path.name for path in made if path.parent == PLOTS}


def test_the_committed_figures_are_condensed() -> None:
    assert JSON.stat().st_size <= 40_000
    assert all(not item.samples for case in stored().cases for item in case.results)


def test_points_of_curves_are_condensed_to_their_least_samples(tmp_path: Path) -> None:
    results = (Result("fused", (40.5, 30.25, 50.0), 1), Result("gone", missing="off"))
    point = CaseResult("a curve 1000", POINTS, "a curve: 1,000", "ns", results, "a curve", "bytes", 1000)
    sized = CaseResult("memory", "Memory", "memory", "bytes", results)
    condense(replace(small(), peers={"fused": "", "gone": ""}, cases=(point, sized))).write_condensed(
        tmp_path / "run.json"
    )
    back, memory = read_run(tmp_path / "run.json").cases
    assert (back.name, back.title, back.group, back.unit) == (point.name, point.title, POINTS, "ns")
    assert [(item.median, item.minimum) for item in back.results[:1]] == [(30.2, 30.2)]
    assert (memory.unit, memory.results[0].median, memory.results[0].minimum) == ("bytes", 40.5, 30.2)
    assert back.results[1].missing == "off"


def test_a_condensed_run_gives_the_figures_of_its_samples(tmp_path: Path) -> None:
    run = replace(small(), settings={"mode": "full"})
    condense(run).write_condensed(tmp_path / "condensed.json")
    run.write(tmp_path / "samples.json")
    short, whole = read_run(tmp_path / "condensed.json"), read_run(tmp_path / "samples.json")
    assert whole == run
    for made, wanted in (
        (render(f"benchmarks.{suffix}.j2", given) for given in (short, whole)) for suffix in ("md", "html")
    ):
        assert made == wanted


def test_every_row_and_column_of_the_pages_is_measured() -> None:
    run = stored()
    assert {*COLUMNS, *ENGINE_WORDS, BASELINE} - {NATIVE} <= set(run.peers)
    assert set(ENGINE_COLUMNS) <= {case.name for case in run.cases}
    assert {*ROWS, *HEADLINES, *ENGINE_COLUMNS} <= {case.name for case in all_cases(Path("nowhere"))}


def test_a_peer_that_is_not_built_keeps_its_last_figures_with_their_date() -> None:
    def run(date: str, native: Result) -> Run:
        peers = {"fused": "ours", NATIVE: "in Rust", "gone": "absent"}
        gone = Result("gone", missing="not here")
        cases = [
            CaseResult(name, "Calls", name, "ns", (Result("fused", (100.0,), 1), replace(native), gone))
            for name in ("greeting", f"only {date}")
        ]
        return condense(Run(date, {}, {}, peers, tuple(cases)))

    first = run("monday", Result(NATIVE, (700.0,), 1))
    missing = run("tuesday", Result(NATIVE, missing="not built"))
    second = with_last(missing, first, NATIVES)
    third = with_last(replace(missing, date="wednesday"), second, NATIVES)
    for later in (second, third):
        assert later.peers == {"fused": "ours", NATIVE: "in Rust; figures of monday", "gone": "absent"}
        results = [case.of(NATIVE) for case in later.cases]
        assert [item and item.median for item in results] == [700.0, None]
        assert later.cases[1].results[1].missing == "not built"
        assert not any(case.of("gone") for case in later.cases)
    assert with_last(run("thursday", Result(NATIVE, (800.0,), 1)), first, NATIVES).peers[NATIVE] == "in Rust"
    assert with_last(missing, missing, NATIVES) == missing


def test_the_table_of_engines_has_all_of_them_and_what_is_missing() -> None:
    assert list(ENGINE_WORDS) == list(ENGINES)
    results = (Result("fused", (10.0,), 1), Result("closures", missing="gone"), Result(BASELINE, (200.0,), 1))
    cases = (CaseResult("greeting", "g", "t", "ns", results),)
    rows = [[cell.strip() for cell in line.split("|")] for line in engines(replace(small(), cases=cases)).splitlines()]
    assert [(row[1], *row[3:5]) for row in rows[2:]] == [
        ("`fused` (default)", "20.0 ×", "–"),
        ("`closures`", "–", "–"),
        ("`interpreter`", "–", "–"),
    ]


def test_a_figure_that_is_changed_by_hand_is_seen() -> None:
    text = (DOCS / "engines.md").read_text(encoding="utf-8")
    before, begin, block = text.partition(BEGIN)
    edited = before + begin + re.sub(r"\d(?= ×)", lambda match: str(9 - int(match[0])), block, count=1)
    assert edited != text
    assert engines_page(edited, stored()) == text


def test_the_readme_has_no_figures_but_the_picture() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "docs/plots/overview.svg" in text
    assert re.findall(r"\d ?(?:×|ns|µs|ms|s|seconds|minutes|KB|MB|KiB)(?!\w)", text) == []


def test_every_peer_is_in_every_case_of_the_run_with_samples_or_a_reason() -> None:
    run = stored()
    for case in run.cases:
        assert [result.peer for result in case.results] == list(run.peers)
        assert all(result.measured != bool(result.missing) for result in case.results), case.name


def test_a_page_without_markers_or_with_two_is_refused() -> None:
    text = (DOCS / "engines.md").read_text(encoding="utf-8")
    for damaged in (text.replace(BEGIN, ""), text.replace(END, ""), text.replace(END, END + END), text * 2):
        with pytest.raises(ValueError, match="no place"):
            engines_page(damaged, stored())


def test_wins_and_losses_of_each_peer_are_sentences() -> None:
    (answer,) = make_page(small()).answers
    assert answer.peer == "by hand"
    assert answer.won.startswith(
        "`fused` wins 2 of 4 cases; in these the peer needs 22.5 × in the median, 40.0 × (greeting"
    )
    assert answer.lost == "`fused` loses 2 of 4 cases; in these the peer needs less: curve (0.05 ×); curve (0.50 ×)."
    results = (Result("fused", (100.0,), 1), Result("by hand", (50.0,), 1), Result("gone", missing="off"))
    worse = CaseResult("record", "Calls from module to module", "record", "ns", results)
    (answer,) = make_page(replace(small(), cases=(worse,))).answers
    assert answer.lost == "`fused` loses 1 of 1 cases; in these the peer needs less: record, between modules (0.50 ×)."
    (bar,) = answer.plot.bars
    assert bar.width < 0


def test_what_is_missing_is_shown_with_its_reason() -> None:
    text = render("benchmarks.md.j2", small())
    assert '| greeting("John") | 100 ns | 4.00 µs (40.0 ×) | – |' in text
    assert "| gone | off | memory |" in text
    assert "| memory | 2.0 KiB | – |\n" in text  # `by hand` is no column of this table, `gone` is one everywhere
    assert "> **This was a quick run" in text
    assert "> **The machine was busy" in text


def test_growth_that_is_worse_than_linear_is_said() -> None:
    page = make_page(small())
    found = {row.peer: (row.slope, row.tail, row.linear) for row in page.growth}
    assert found == {"fused": ("2.00", "2.00", False), "by hand": ("1.00", "1.00", True)}
    assert page.growth_summary == ("On `fused`, cost grows linearly or better except here: a curve (tail 2.00).")


def test_where_others_take_less_is_said_but_of_floors() -> None:
    page = make_page(small())
    assert page.faster == [("Points", "curve", "by hand 0.50 ×"), ("Points", "curve", "by hand 0.05 ×")]
    assert "In 2 of 5 cases, other peers" in page.faster_summary
    results = [Result(peer, (value,), 1) for peer, value in (("fused", 1000.0), ("a", 994.0), ("b", 996.0), ("c", 1.0))]
    case = CaseResult("case", "Group", "title", "ns", (*results, Result("d", (500.0,), 1), Result("e", missing="gone")))
    peers = {"fused": "ours", "a": "", "b": "", "c": EmptyCall().about, "d": "", "e": ""}
    page = make_page(replace(small(), peers=peers, cases=(case,)))
    assert page.faster == [("Group", "title", "d 0.50 ×, a 0.99 ×")]
    for suffix in ("md", "html"):
        assert "d 0.50 ×, a 0.99 ×" in render(f"benchmarks.{suffix}.j2", replace(small(), peers=peers, cases=(case,)))


def test_that_nobody_takes_less_is_said_without_a_table() -> None:
    run = replace(small(), cases=small().cases[:2])
    assert make_page(run).faster_summary == "No peer takes less than `fused` in any of the 2 cases."
    for suffix in ("md", "html"):
        assert "or smaller" not in render(f"benchmarks.{suffix}.j2", run)


def test_the_html_page_needs_nothing_else_and_escapes_what_a_run_says() -> None:
    text = render("benchmarks.html.j2", small())
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "src=" not in text
    assert "url(" not in text
    for drawing in text.split("<svg")[1:]:
        ElementTree.fromstring("<svg" + drawing.split("</svg>")[0] + "</svg>")
    # One chart of bars for the case with two peers, one of the curve, none of the case with one peer.
    assert text.count("<svg") == 2 + 3


def test_bars_are_on_a_logarithmic_scale_inside_the_picture() -> None:
    plot = bars("title", [("a", 1.0, ""), ("b", 10.0, ""), ("c", 1000.0, "")], colours("abc"))
    first, second, third = (bar.width for bar in plot.bars)
    assert math.isclose(third - second, 2 * (second - first), abs_tol=3)
    assert plot.left + third <= WIDTH
    for rows in ([], [("a", 0.0, "")]):
        with pytest.raises(ValueError, match="positive"):
            bars("title", rows, colours("a"))


def test_curves_go_through_their_points() -> None:
    plot = curves("title", "bytes", {"a": [(10, 10), (1, 1), (100, 100)]}, "ns", colours("a"))
    (line,) = plot.lines
    (x0, y0), (x1, y1), (x2, y2) = line.points
    assert (x0, y0) == (plot.left, plot.bottom)
    assert (x2, y2) == (plot.right, plot.top)
    assert (x1, y1) == pytest.approx(((x0 + x2) / 2, (y0 + y2) / 2))
    assert [text for _, text in plot.y_ticks] == ["1 ns", "10 ns", "100 ns"]


def test_a_file_that_is_not_a_run_is_an_error_of_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path / "run.json")])
    assert caught.value.code == 1
    assert capsys.readouterr().err.count("\n") == 1
