"""The bars that speed has to clear: ratios between peers of one run, and what a run says about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tests.bench.model import Run
from tests.bench.peers import BASELINE, OURS
from tests.bench.stats import ratio

TOLERANCE = 0.2
"""The part by which a ratio may miss its bar before the gate fails: samples on shared machines have that much noise."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bound on the ratio of two peers in one case: the time of `over` by the time of `under`.

    Attributes:
        kind: whether the ratio has to be at least, or at most, the limit.
        accepted: what the gate accepts instead, for a bar that is not reached yet; so it does not get worse.
    """

    title: str
    case: str
    over: str
    under: str
    kind: Literal["at least", "at most"]
    limit: float
    accepted: float | None = None

    def holds(self, ratio: float) -> bool:
        """True if a ratio clears the bar."""
        return ratio >= self.limit if self.kind == "at least" else ratio <= self.limit

    def accepts(self, ratio: float) -> bool:
        """True if the gate lets a ratio pass: within the tolerance of the accepted one."""
        limit = self.limit if self.accepted is None else self.accepted
        return ratio >= limit * (1 - TOLERANCE) if self.kind == "at least" else ratio <= limit * (1 + TOLERANCE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar and the ratio of a run; `missing` says why there is none."""

    bar: Bar
    ratio: float = 0.0
    missing: str = ""

    @property
    def held(self) -> bool:
        """True if the ratio is there and clears the bar without tolerance."""
        return not self.missing and self.bar.holds(self.ratio)

    def passes(self, *, missing_fails: bool) -> bool:
        """True if the gate lets this pass."""
        if self.missing:
            return not missing_fails
        return self.bar.accepts(self.ratio)


_STRING = "string from the host"
_ACROSS = "string from module to module"

BARS = (
    Bar(
        f"{_STRING}, `fused`: times as fast as the interpreter, public API", "greeting", BASELINE, OURS, "at least", 50
    ),
    Bar(f"{_STRING}, `fused`: times as fast as marine-js", "greeting", "marine-js", OURS, "at least", 4),
    Bar(
        f"{_STRING}, `closures`: times as fast as the interpreter, public API",
        *("greeting", BASELINE, "closures", "at least", 15),
    ),
    Bar(
        f"{_STRING}, `closures`: times as fast as the interpreter, our call layer",
        *("greeting", "interpreter", "closures", "at least", 1.8),
    ),
    Bar(f"{_ACROSS}, `fused`: times the plain Wasm call", "crossing string", OURS, "plain Wasm call", "at most", 2.2),
    *(
        Bar(
            f"{title} from module to module, `fused`: times components",
            *(f"crossing {case}", OURS, "component", "at most"),
            *limits,
        )
        for title, case, limits in (
            ("u32", "scalar", (1,)),
            ("string of 10 B", "string 10", (0.6,)),
            ("10 B", "bytes 10", (0.6,)),
            ("record of 3 fields", "record", (0.7,)),
            ("record of 13 fields", "record of 13", (0.8,)),
            ("1,000 strings", "strings", (0.45,)),
            ("1,000 records", "records", (0.5, 0.65)),
        )
    ),
    *(
        Bar(
            f"{title} to a component of a service: times a component by hand",
            *(f"crossing {case}", "component of a service", "component", "at most", 1.5),
        )
        for title, case in (
            ("u32", "scalar"),
            ("string of 10 B", "string 10"),
            ("record of 3 fields", "record"),
            ("record of 13 fields", "record of 13"),
            ("1,000 strings", "strings"),
            ("1,000 records", "records"),
        )
    ),
    Bar(
        "1 MiB of bytes there and back, `fused`: times two `memcpy`",
        *("crossing bytes 1048576", OURS, "two memcpy", "at most", 3),
    ),
    Bar(
        "1 MiB of string there and back, `fused`: times two `memcpy`",
        *("crossing string 1048576", OURS, "two memcpy", "at most", 3),
    ),
    *(
        Bar(f"{title} from the host, `fused`: times `struct` by hand", case, OURS, "struct by hand", "at most", *limits)
        for title, case, limits in (
            ("record of 3 fields", "record", (1.5,)),
            ("1,000 records", "records", (1, 1.4)),
            ("1,000 strings", "strings", (0.8,)),
            ("1,000 u64s", "u64s", (1.5, 1.9)),
        )
    ),
    *(
        Bar(
            f"{title} as JSON, `fused`: times `json` both ways",
            f"json {case}",
            OURS,
            "json both ways",
            "at most",
            limit,
        )
        for title, case, limit in (("short string", "string 10", 1.5), ("64 KiB of bytes", "bytes 65536", 1))
    ),
    Bar(
        "string to a host function and back, `fused`: times a callback of `ctypes`",
        *("host function", OURS, "ctypes callback", "at most", 5),
    ),
    Bar(
        "call parameters, `fused`: times a callback of `ctypes`",
        *("call parameters", OURS, "ctypes callback", "at most", 4, 9),
    ),
    *(
        Bar(
            f"{title}, `fused`: times one that signals can't interrupt",
            *(case, OURS, "not interruptible", "at most", 1.02),
        )
        for title, case in ((_STRING, "greeting"), ("u32 from the host", "scalar"))
    ),
)


def judge(run: Run, bars: Iterable[Bar] = BARS) -> list[Verdict]:
    """A verdict for each bar."""
    verdicts = []
    for bar in bars:
        case = run.case(bar.case)
        if case is None:
            verdicts.append(Verdict(bar, missing=f"`{bar.case}` was not measured"))
            continue
        over, under = case.of(bar.over), case.of(bar.under)
        if over is None or under is None:
            absent = bar.over if over is None else bar.under
            reasons = [item.missing for item in case.results if item.peer == absent]
            verdicts.append(Verdict(bar, missing=f"{absent}: {(reasons or ['not a peer of this run'])[0]}"))
            continue
        verdicts.append(Verdict(bar, ratio(over, under)))
    return verdicts
