"""Counters of a server process, as plain data that processes of one server can send each other and add up."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import time
from typing import Any

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the latency histogram in seconds."""

OK = "ok"

_COUNTERS = ("functions", "statuses", "cancelled", "reloads", "started", "copies_replaced", "growths_refused")
"""The parts of a snapshot that never fall."""


@dataclass(slots=True)
class FunctionFigures:
    """Calls of one function.

    Attributes:
        codes: the number of calls that ended with each problem code; `ok` for those that succeeded.
        buckets: the number of calls that took at most so long; the last one counts the longer ones.
        seconds: their time together, waiting included.
    """

    codes: dict[str, int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0

    def count(self, code: str, seconds: float) -> None:
        """One more call."""
        self.codes[code] = self.codes.get(code, 0) + 1
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds


@dataclass(slots=True)
class Figures:
    """Everything that a process counts itself. Only the event loop touches it.

    Attributes:
        functions: calls, by module and function.
        statuses: responses by status.
        running: calls that were taken and not answered yet.
        cancelled: calls whose client went away.
        reloads: the number of attempts to swap the service, by outcome.
    """

    functions: dict[tuple[str, str], FunctionFigures] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=dict)
    running: int = 0
    cancelled: int = 0
    reloads: dict[str, int] = field(default_factory=dict)
    started: float = field(default_factory=time)

    def call(self, module: str, function: str, code: str, seconds: float) -> None:
        """One more call."""
        found = self.functions.get((module, function))
        if found is None:
            found = self.functions[module, function] = FunctionFigures()
        found.count(code, seconds)

    def response(self, status: int) -> None:
        """One more response."""
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def snapshot(self, gauges: Mapping[str, Any]) -> dict[str, Any]:
        """The figures as a JSON document, with `gauges` of what is not counted here."""
        return {
            "functions": [
                {
                    "module": module,
                    "function": function,
                    "codes": dict(item.codes),
                    "buckets": list(item.buckets),
                    "seconds": item.seconds,
                }
                for (module, function), item in self.functions.items()
            ],
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "running": self.running,
            "cancelled": self.cancelled,
            "reloads": dict(self.reloads),
            "started": self.started,
            "processes": 1,
            **gauges,
        }


def counted(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a snapshot that stays true when its process has ended: its counters."""
    return {name: snapshot[name] for name in _COUNTERS if name in snapshot}


def added(snapshots: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The snapshots of several processes as one."""
    total: dict[str, Any] = {}
    functions: dict[tuple[str, str], dict[str, Any]] = {}
    for snapshot in snapshots:
        for name, value in snapshot.items():
            if name == "started":
                total[name] = min(total.get(name, value), value)
            elif isinstance(value, Mapping):
                known = total.setdefault(name, {})
                for key, count in value.items():
                    known[key] = known.get(key, 0) + count
            elif name != "functions":
                total[name] = total.get(name, 0) + value
        for item in snapshot["functions"]:
            key = item["module"], item["function"]
            into = functions.setdefault(
                key,
                {
                    "module": key[0],
                    "function": key[1],
                    "codes": {},
                    "buckets": [0] * (len(BUCKETS) + 1),
                    "seconds": 0.0,
                },
            )
            for code, count in item["codes"].items():
                into["codes"][code] = into["codes"].get(code, 0) + count
            into["buckets"] = [left + right for left, right in zip(into["buckets"], item["buckets"], strict=True)]
            into["seconds"] += item["seconds"]
    return total | {"functions": list(functions.values())}
