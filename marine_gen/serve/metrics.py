"""`/metrics`: the figures of a server in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from marine_gen._version import __version__
from marine_gen.serve.figures import BUCKETS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_FUNCTION = ("module", "function")


class _Collector(Collector):
    def __init__(self, figures: Mapping[str, Any]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        figures = self._figures
        calls = CounterMetricFamily(
            "marine_calls", "Calls by outcome: `ok`, or a problem code.", labels=(*_FUNCTION, "code")
        )
        latency = HistogramMetricFamily("marine_call_seconds", "Time of a call, waiting included.", labels=_FUNCTION)
        for item in figures["functions"]:
            labels = (item["module"], item["function"])
            for code, count in item["codes"].items():
                calls.add_metric((*labels, code), count)
            bounds = (*map(str, BUCKETS), "+Inf")
            latency.add_metric(labels, list(zip(bounds, accumulate(item["buckets"]), strict=True)), item["seconds"])
        yield calls
        yield latency
        yield _labelled("marine_http_responses", "Responses by status.", "status", figures["statuses"], counter=True)
        yield _labelled("marine_reloads", "Reloads by outcome.", "outcome", figures["reloads"], counter=True)
        yield _labelled("marine_memory_bytes", "Memory of all copies of a module.", "module", figures["memory"])
        for name, text in (
            ("calls_cancelled", "Calls whose client went away."),
            ("growths_refused", "Growths that the memory limit refused."),
            ("copies_replaced", "Copies that were loaded again after a failure."),
        ):
            yield CounterMetricFamily(f"marine_{name}", text, value=figures[name.removeprefix("calls_")])
        for name, text in (
            ("running", "Calls that were taken and not answered yet."),
            ("waiting", "Calls that wait for a thread."),
            ("instances", "Instances that keep their state for a client."),
            ("connections", "Open connections."),
            ("processes", "Server processes."),
        ):
            yield GaugeMetricFamily(f"marine_{name}", text, value=figures[name])
        info = GaugeMetricFamily("marine_build_info", "The version of marine-gen.", labels=("version",))
        info.add_metric((__version__,), 1)
        yield info


def _labelled(name: str, text: str, label: str, values: Mapping[str, float], *, counter: bool = False) -> Metric:
    family = (CounterMetricFamily if counter else GaugeMetricFamily)(name, text, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family


def exposition(figures: Mapping[str, Any]) -> bytes:
    """The figures as Prometheus scrapes them."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(figures))
    text: bytes = generate_latest(registry)
    return text
