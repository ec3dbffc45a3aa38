"""Cases, results, and two forms of a run as JSON: with every sample, and condensed to what the pages show.

A case is one piece of work. A peer is a way to do it, and a result is what was measured of one peer in one case: its
samples, or the reason why there are none. Nothing here runs, computes or shows anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple, get_args

from marine_gen.bench.measure import Sampled

FORMAT = 4
"""The version of the JSON forms; a file of another version is refused."""

POINTS = "Points of the curves"
"""The group of cases that are nothing but points of curves."""

DIGITS = (3, 3, 2, 3)
"""Significant digits of the fields of `Condensed`."""

Made = Literal["glue", "glue size", "component", "component size"]
"""Measurements of what only a compiler of Marine modules makes: its time, or its bytes."""

Started = Literal["process unwritten", "command run", "command version"]
"""Measurements of a whole process, from its start to its end. With `unwritten`, Python may write no caches."""

Answered = Literal["second load", "cold answer", "warm answer"]
"""Loads beside a service of the kind, and loads with a first call, with nothing in the cache or out of it."""

Kind = (
    Literal["call", "batch", "json", "host", "services"]
    | Literal["build", "cold load", "warm load", "first call", "process", "memory", "resident"]
    | Made
    | Started
    | Answered
)
Unit = Literal["ns", "bytes"]

MADE: tuple[str, ...] = get_args(Made)
STARTED: tuple[str, ...] = get_args(Started)
ANSWERED: tuple[str, ...] = get_args(Answered)
IN_BYTES: tuple[Kind, ...] = ("memory", "resident", "glue size", "component size")
"""Kinds whose samples are bytes, not nanoseconds."""


@dataclass(frozen=True, slots=True)
class Work:
    """A service and a call of it.

    Attributes:
        modules: Wasm binaries by module name, in load order; the function is one of the last.
        arguments: plain values: records are tuples, byte arrays `bytes`.
        expected: the plain result of one call, which every peer has to give.
        shape: what crosses, by the name of its shape; what peers that write their own module go by.
        per: how often the work happens inside one call.
    """

    modules: Mapping[str, bytes]
    function: str
    arguments: tuple[Any, ...]
    expected: Any
    shape: str = ""
    per: int = 1

    def longer(self, loops: int) -> Work:
        """The same work of a loop inside a guest, at least so many times; its first argument is their number.

        What the host pays to enter the loop then weighs little. Results of loops are sums, modulo 2**32. Work that is
        done once stays so.
        """
        if self.per == 1:
            return self
        factor = max(1, -(-loops // self.per))
        count, *rest = self.arguments
        expected = self.expected * factor % 2**32
        return replace(self, arguments=(count * factor, *rest), expected=expected, per=self.per * factor)

    def once(self) -> Work:
        """The same work of a loop inside a guest, once; its result is not known."""
        return replace(self, arguments=(1, *self.arguments[1:]), expected=None, per=1)

    @property
    def module(self) -> str:
        """The module that is called."""
        return list(self.modules)[-1]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to measure.

    Attributes:
        name: unique, stable, as results refer to it.
        series: the name of the curve that the case is a point of, with `x` on the axis `axis`.
        crossing: whether the work is a call from one module to another; else it comes from the host.
        count: how many calls a batch makes, or how many services are called in turn.
    """

    name: str
    group: str
    title: str
    kind: Kind
    work: Work
    series: str = ""
    axis: str = ""
    x: float = 0
    crossing: bool = False
    count: int = 1


class Condensed(NamedTuple):
    """The figures that pages show of one peer in one case.

    Attributes:
        spread: the distance of the quartiles of the samples, as a part of their median.
        ratio: how many times as much as the first peer it takes, round by round; 0 where it is not kept.
    """

    median: float
    minimum: float
    spread: float = 0.0
    ratio: float = 0.0


@dataclass(frozen=True, slots=True)
class Result(Sampled):
    """The measurements of one peer in one case.

    Attributes:
        samples: nanoseconds or bytes, for one piece of work each; empty when there are none.
        calls: how many calls made one sample.
        missing: why there are no samples.
        condensed: what stands for samples that were left out.
    """

    peer: str
    samples: tuple[float, ...] = ()
    calls: int = 0
    missing: str = ""
    condensed: Condensed | None = None

    @property
    def measured(self) -> bool:
        """True if there are figures."""
        return bool(self.samples) or self.condensed is not None

    @property
    def median(self) -> float:
        """The median of the samples."""
        return median(self.samples) if self.condensed is None else self.condensed.median

    @property
    def minimum(self) -> float:
        """The least sample."""
        return min(self.samples) if self.condensed is None else self.condensed.minimum


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case, without its work, and its results in the order of the peers."""

    name: str
    group: str
    title: str
    unit: Unit
    results: tuple[Result, ...]
    series: str = ""
    axis: str = ""
    x: float = 0

    def of(self, peer: str) -> Result | None:
        """The result of a peer that was measured."""
        return next((item for item in self.results if item.peer == peer and item.measured), None)


@dataclass(frozen=True, slots=True)
class Run:
    """All results of one run.

    Attributes:
        machine: what `describe_machine` says, and the versions of the peers.
        settings: how it was measured: mode, rounds, seconds per sample, load of the machine before and after.
        peers: the names of all peers with what each of them is.
    """

    date: str
    machine: Mapping[str, str | int]
    settings: Mapping[str, Any]
    peers: Mapping[str, str]
    cases: tuple[CaseResult, ...] = field(default=())

    def case(self, name: str) -> CaseResult | None:
        """The case of that name."""
        return next((item for item in self.cases if item.name == name), None)

    def write(self, path: Path) -> None:
        """Write the run with every sample as JSON, one line per result."""
        head, cases = self._parts()
        lines = []
        for case in cases:
            results = ",\n   ".join(json.dumps(_rounded(item), ensure_ascii=False) for item in case.pop("results"))
            lines.append(f'  {json.dumps(case, ensure_ascii=False)[:-1]}, "results": [\n   {results}]}}')
        path.write_text(head + ',\n "cases": [\n' + ",\n".join(lines) + "\n ]\n}\n", encoding="utf-8")

    def write_condensed(self, path: Path) -> None:
        """Write a condensed run as JSON, one line per case: for each peer up to four figures, or its reason.

        A case without a group is in that of the case before.
        """
        head, cases = self._parts()
        reasons = sorted({item.missing for case in self.cases for item in case.results if item.missing})
        lines, group = [], ""
        for case in cases:
            shown = {key: value for key, value in case.items() if value not in ("", 0, "ns")}
            if case["group"] == POINTS:
                for key, told in _of_point(case["series"], case["x"]).items():
                    assert shown.pop(key) == told
            elif case["group"] == group:
                del shown["group"]
            group = case["group"]
            found = {item["peer"]: item for item in case["results"]}
            shown["results"] = [_cell(found.get(peer), reasons) for peer in self.peers]
            lines.append(" " + json.dumps(shown, ensure_ascii=False, separators=(",", ":")))
        text = head + f',\n "reasons": {json.dumps(reasons, ensure_ascii=False, indent=1)}'
        path.write_text(text + ',\n "cases": [\n' + ",\n".join(lines) + "\n ]\n}\n", encoding="utf-8")

    def _parts(self) -> tuple[str, list[dict[str, Any]]]:
        content = {"format": FORMAT} | asdict(self)
        cases = content.pop("cases")
        return json.dumps(content, indent=1, ensure_ascii=False).removesuffix("\n}"), cases


def _of_point(series: str, x: float) -> dict[str, str]:
    """Name, title and group of a point of a curve, which the condensed form leaves out."""
    return {"name": f"{series} {x}", "title": f"{series}: {x:,}", "group": POINTS}


def _cell(result: Mapping[str, Any] | None, reasons: Sequence[str]) -> list[float] | int | None:
    """The figures of a result, without zeros at the end and decimals of whole numbers; or the number of its reason.

    One figure stands for two that are the same, as those of points are.
    """
    if result is None:
        return None
    if result["condensed"] is None:
        return reasons.index(result["missing"])
    figures = [int(figure) if figure == int(figure) else figure for figure in result["condensed"]]
    while not figures[-1]:
        figures.pop()
    return figures[:1] if len(figures) == 2 and figures[0] == figures[1] else figures


def _rounded(result: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in result.items() if key != "condensed"}
    return kept | {"samples": [float(f"{sample:.6g}") for sample in result["samples"]]}


def read_run(path: Path) -> Run:
    """A run from either form.

    Raises:
        ValueError: the file is not a run of this version.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is not a benchmark run of format {FORMAT}")
    try:
        reasons, peers = content.pop("reasons", []), list(content["peers"])
        cases, group = [], ""
        for case in content.pop("cases"):
            items = case.pop("results")
            results = tuple(
                _result(peers, index, item, reasons) for index, item in enumerate(items) if item is not None
            )
            if "name" not in case:
                case |= _of_point(case["series"], case["x"])
            group = case.setdefault("group", group)
            cases.append(CaseResult(**{"unit": "ns"} | case, results=results))
        return Run(**content, cases=tuple(cases))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"{path} is not a benchmark run: {error}") from error


def _result(peers: Sequence[str], index: int, item: Any, reasons: Sequence[str]) -> Result:
    if isinstance(item, int):
        return Result(peers[index], missing=reasons[item])
    if isinstance(item, list):
        return Result(peers[index], condensed=Condensed(*item) if len(item) > 1 else Condensed(item[0], item[0]))
    return Result(**item | {"samples": tuple(item["samples"])})
