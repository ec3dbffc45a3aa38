"""Building, loading, starting, what a service takes in memory, and the size of what is made of it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.cases.calls import chained, greeting
from tests.bench.cases.crossing import looped
from tests.bench.model import Case

GROUP = "Building and loading"
MEMORY_GROUP = "Memory"
GLUE_GROUP = "Glue and components"


def lifecycle() -> Iterator[Case]:
    """One module and three; glue of two modules."""
    for name, title, work in (("one", "one module", greeting()), ("three", "three modules", chained(3))):
        yield Case(f"build {name}", GROUP, f"build ahead of time, {title}", "build", work)
        yield Case(f"cold load {name}", GROUP, f"load with nothing in the cache, {title}", "cold load", work)
        yield Case(f"warm load {name}", GROUP, f"load from the cache, {title}", "warm load", work)
        first = f"new process: load what was built and call once, after `import`, {title}"
        yield Case(f"first call {name}", GROUP, first, "first call", work)
        whole = f"a process from its start to its end: load what was built and call once, {title}"
        yield Case(f"process {name}", GROUP, whole, "process", work)
    one = greeting()
    unwritten = "the same, one module, where Python writes no caches (`PYTHONDONTWRITEBYTECODE`)"
    yield Case("process unwritten", GROUP, unwritten, "process unwritten", one)
    yield Case("command run", GROUP, "the command `marine-gen run` with a service in the cache", "command run", one)
    yield Case("command version", GROUP, "the command `marine-gen --version`", "command version", one)
    yield Case("second load", GROUP, "load one more service of a kind that runs, one module", "second load", one)
    yield Case("memory one", MEMORY_GROUP, "resident memory for one more service, one module", "memory", greeting())
    title = "resident memory of a process after one call, one module"
    yield Case("resident one", MEMORY_GROUP, title, "resident", greeting())
    for shape in ("string", "record of 13", "records"):
        work, title = looped(shape, 1, 1), f"three adapters, `{shape}`"
        yield Case(f"glue {shape}", GLUE_GROUP, f"machine code of glue, {title}", "glue", work)
        yield Case(f"glue size {shape}", GLUE_GROUP, f"Wasm of glue, {title}", "glue size", work)
    for name, title, work in (("one", "one module", greeting()), ("three", "three modules", chained(3))):
        yield Case(f"component {name}", GLUE_GROUP, f"make a component, {title}", "component", work)
        yield Case(f"component size {name}", GLUE_GROUP, f"the component, {title}", "component size", work)
