"""The answer that the report opens with: for each peer a picture, what we win, and what we lose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.cases.scaling import GROUP as GROWTH
from tests.bench.model import CaseResult, Run
from tests.bench.peers import OURS
from tests.bench.peers.floors import FLOOR
from tests.bench.peers.native_marine import NATIVES
from tests.bench.plots import Versus, times, versus
from tests.bench.stats import ratio

HEADLINES = {
    "greeting": "short string from the host and back",
    "record": "record of 3 fields from the host and back",
    "bytes 65536": "64 KiB of bytes from the host and back",
    "crossing string 10": "short string between modules and back",
    "crossing record": "record of 3 fields between modules and back",
    "crossing bytes 65536": "64 KiB of bytes between modules and back",
    "chain": "short string through three modules and back",
    "store GET": "key-value store, GET",
    "json string 10": "short string as JSON text",
    "call parameters": "call parameters",
    "avm ast": "AquaVM, ast",
    "avm invoke": "AquaVM, invoke",
    "first call three": "new process: load three modules, call once",
    "process three": "a process: load three modules, call once",
    "cold load three": "compile and load three modules",
    "memory one": "memory of one more service",
    "resident one": "memory of a process",
}
"""Cases that the pictures show, with their words there."""

CROSSINGS = "Calls from module to module"
SHOWN_LOSSES = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """Our engine against one peer.

    Attributes:
        file: the name of the picture.
        won, lost: a sentence each.
    """

    peer: str
    about: str
    file: str
    won: str
    lost: str
    plot: Versus


def answers(run: Run) -> list[Answer]:
    """An answer for each peer that shares a case with our engine, native Marine first; floors are no peers."""
    found = []
    for peer, about in run.peers.items():
        compared = [(part, case) for case in run.cases if (part := _against(case, peer))]
        headlines = [(words, part) for part, case in compared if (words := HEADLINES.get(case.name))]
        if peer == OURS or about.startswith(FLOOR) or not headlines:
            continue
        single = [(part, case) for part, case in compared if case.group != GROWTH]
        plot = versus(f"{peer}: times as much as {OURS}", headlines)
        found.append(Answer(peer, about, f"{_file(peer)}.svg", _won(single), _lost(single), plot))
    return sorted(found, key=lambda answer: (answer.about.startswith("marine-gen,"), answer.peer not in NATIVES))


def _against(case: CaseResult, peer: str) -> float | None:
    base, other = case.of(OURS), case.of(peer)
    return ratio(other, base) if base and other else None


def _file(peer: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in peer.lower()).replace("--", "-")


def _won(compared: Sequence[tuple[float, CaseResult]]) -> str:
    won = sorted(((part, _title(case)) for part, case in compared if part > 1), reverse=True)
    if not won:
        return f"`{OURS}` wins none of {len(compared)} cases."
    middle, most = times(median(part for part, _ in won)), f"{times(won[0][0])} ({won[0][1]})"
    text = f"`{OURS}` wins {len(won)} of {len(compared)} cases"
    return f"{text}; in these the peer needs {middle} in the median, {most} at most."


def _lost(compared: Sequence[tuple[float, CaseResult]]) -> str:
    lost = sorted((part, _title(case)) for part, case in compared if part < 0.995)
    if not lost:
        return f"`{OURS}` loses none of {len(compared)} cases."
    worst = "; ".join(f"{title} ({times(part)})" for part, title in lost[:SHOWN_LOSSES])
    more = f" and {len(lost) - SHOWN_LOSSES} more" if len(lost) > SHOWN_LOSSES else ""
    return f"`{OURS}` loses {len(lost)} of {len(compared)} cases; in these the peer needs less: {worst}{more}."


def _title(case: CaseResult) -> str:
    return f"{case.title}, between modules" if case.group == CROSSINGS else case.title
