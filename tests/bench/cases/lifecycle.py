"""Building, loading, starting, and what a service takes in memory."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.cases.calls import chained, greeting
from tests.bench.model import Case

GROUP = "Building and loading"
MEMORY_GROUP = "Memory"


def lifecycle() -> Iterator[Case]:
    """One module and three."""
    for name, title, work in (("one", "one module", greeting()), ("three", "three modules", chained(3))):
        yield Case(f"build {name}", GROUP, f"build ahead of time, {title}", "build", work)
        yield Case(f"cold load {name}", GROUP, f"load with nothing in the cache, {title}", "cold load", work)
        yield Case(f"warm load {name}", GROUP, f"load from the cache, {title}", "warm load", work)
        first = f"new process: load what was built and call once, after `import`, {title}"
        yield Case(f"first call {name}", GROUP, first, "first call", work)
    yield Case("memory one", MEMORY_GROUP, "resident memory for one more service, one module", "memory", greeting())
