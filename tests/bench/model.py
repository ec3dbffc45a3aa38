"""What is measured, and what came of it: cases, results, and their form as JSON.

A case is one piece of work. A peer is a way to do it, and a result is what was measured of one peer in one case: its
samples, or the reason why there are none. Nothing here runs, computes or shows anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from marine_gen.bench.measure import Sampled

FORMAT = 1
"""The version of the JSON form; a file of another version is refused."""

Made = Literal["glue", "glue size", "component", "component size"]
"""What only a compiler of Marine modules makes: the time of it, or the bytes."""

Kind = (
    Literal["call", "batch", "json", "host", "services"]
    | Literal["build", "cold load", "warm load", "first call", "memory"]
    | Made
)
Unit = Literal["ns", "bytes"]

MADE: tuple[str, ...] = get_args(Made)
IN_BYTES: tuple[Kind, ...] = ("memory", "glue size", "component size")
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


@dataclass(frozen=True, slots=True)
class Result(Sampled):
    """What was measured of one peer in one case.

    Attributes:
        samples: nanoseconds or bytes, for one piece of work each; empty when there are none.
        calls: how many calls made one sample.
        missing: why there are no samples.
    """

    peer: str
    samples: tuple[float, ...] = ()
    calls: int = 0
    missing: str = ""


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
        """The result of a peer that has samples."""
        return next((item for item in self.results if item.peer == peer and item.samples), None)


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
        """Write the run as JSON, one line per result, so that a change can be read."""
        content = {"format": FORMAT} | asdict(self)
        cases = content.pop("cases")
        head = json.dumps(content, indent=1, ensure_ascii=False).removesuffix("\n}")
        lines = []
        for case in cases:
            results = ",\n   ".join(json.dumps(_rounded(item), ensure_ascii=False) for item in case.pop("results"))
            lines.append(f'  {json.dumps(case, ensure_ascii=False)[:-1]}, "results": [\n   {results}]}}')
        path.write_text(head + ',\n "cases": [\n' + ",\n".join(lines) + "\n ]\n}\n", encoding="utf-8")


def _rounded(result: dict[str, Any]) -> dict[str, Any]:
    return result | {"samples": [float(f"{sample:.6g}") for sample in result["samples"]]}


def read_run(path: Path) -> Run:
    """A run from its JSON.

    Raises:
        ValueError: the file is not a run of this version.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is not a benchmark run of format {FORMAT}")
    try:
        cases = []
        for case in content.pop("cases"):
            results = (Result(**item | {"samples": tuple(item["samples"])}) for item in case.pop("results"))
            cases.append(CaseResult(**case, results=tuple(results)))
        return Run(**content, cases=tuple(cases))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a benchmark run: {error}") from error
