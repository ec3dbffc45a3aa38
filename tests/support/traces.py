"""Trace-event documents: what every one of them must be like, and which calls one shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from marine_runtime import Tracer

KINDS = {"call", "import", "host", "binary", "init"}


@contextmanager
def recorded(limit: int = 1000) -> Iterator[Tracer]:
    """A tracer that records while the block runs."""
    tracer = Tracer(limit)
    tracer.start()
    yield tracer
    if tracer.recording:
        tracer.stop()


def spans(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The crossings of a document in the order of their beginning, after everything about it was checked."""
    check(document)
    return [event for event in document["traceEvents"] if event["ph"] == "X"]


def calls(document: Mapping[str, Any]) -> list[tuple[int, str, str]]:
    """Depth, category and name of every crossing, without the initialisers."""
    found = []
    ends: dict[int, list[float]] = {}
    for event in spans(document):
        stack = ends.setdefault(event["tid"], [])
        while stack and stack[-1] <= event["ts"]:
            stack.pop()
        if event["cat"] != "init":
            found.append((len(stack), event["cat"], event["name"]))
        stack.append(event["ts"] + event["dur"])
    return found


def check(document: Mapping[str, Any]) -> None:
    """A document is one that viewers read, and its events nest."""
    assert set(document) == {"displayTimeUnit", "otherData", "traceEvents"}
    assert document["displayTimeUnit"] in ("ns", "ms")
    assert {"limit", "dropped"} <= set(document["otherData"])
    events = document["traceEvents"]
    tracks = {event["tid"] for event in events if event["ph"] == "M" and event["name"] == "thread_name"}
    stacks: dict[int, list[tuple[float, float]]] = {number: [] for number in tracks}
    for event in events:
        assert {"name", "ph", "pid", "tid", "args"} <= set(event)
        assert isinstance(event["name"], str)
        assert event["ph"] in ("X", "M", "i")
        if event["ph"] != "X":
            continue
        assert event["cat"] in KINDS
        assert event["ts"] >= 0
        assert event["dur"] >= 0
        assert {"from", "engine"} <= set(event["args"])
        stack = stacks[event["tid"]]
        while stack and stack[-1][1] <= event["ts"]:
            stack.pop()
        # An inner event ends before the outer one; half a nanosecond is what the numbers are rounded to.
        assert not stack or event["ts"] + event["dur"] <= stack[-1][1] + 0.0005
        stack.append((event["ts"], event["ts"] + event["dur"]))
