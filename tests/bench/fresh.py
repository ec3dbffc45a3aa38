"""Measurements that need a new process: the time from after `import` to the first result, and memory per service.

    python -m tests.bench.fresh < JSON

reads what to do and prints a line of JSON. `run_fresh` starts that as a stopwatch. Peers outside of Python have their
own process and do not come here.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from tests.bench.model import Case
from tests.bench.peers.base import Contender
from tests.support.memory_use import resident
from tests.support.paths import ROOT

SERVICES = 20
"""The number of services that are loaded to see what one of them takes."""


def run_fresh(case: Case, opener: str, modules: dict[str, str]) -> Contender:
    """A stopwatch over new processes, for the kinds `first call` and `memory`.

    Args:
        case: gives the kind, the function and its arguments.
        opener: an engine, or the name of another opener below.
        modules: paths by module name; `built` alone is a built directory. Peers with modules of their own need none.
    """
    request = {
        "kind": case.kind,
        "opener": opener,
        "modules": modules,
        "module": case.work.module,
        "function": case.work.function,
        "arguments": case.work.arguments,
        "shape": case.work.shape,
        "length": len(case.work.modules),
    }

    def watch(calls: int) -> int:
        return sum(_ask(request)["value"] for _ in range(calls))

    return Contender(watch, _ask(request)["result"])


PROGRAM = """
import json, sys
request = json.loads(sys.argv[1])
if "built" in request["modules"]:
    import marine_runtime
    service = marine_runtime.load(request["modules"]["built"])
else:
    import marine_gen
    service = marine_gen.load(request["modules"], engine=request["engine"])
with service:
    result = service.call(request["module"], request["function"], request["arguments"])
    with open("/proc/self/status") as status:
        resident = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))
print(json.dumps({"result": result, "resident": resident}))
"""
"""A program that loads a service and calls it once, with nothing imported that its author would not import."""


def run_program(case: Case, engine: str, modules: dict[str, str]) -> Contender:
    """A stopwatch over whole processes of `PROGRAM`, for the kinds `process` and `resident`.

    Args:
        case: gives the kind, the function and its arguments.
        engine: of modules; a built directory has its own.
        modules: paths by module name; `built` alone is a built directory.
    """
    work = case.work
    call = {"module": work.module, "function": work.function, "arguments": work.arguments}
    request = json.dumps({"engine": engine, "modules": modules} | call)

    def run() -> tuple[int, dict[str, Any]]:
        began = perf_counter_ns()
        done = _run(["-c", PROGRAM, request], "")
        took = perf_counter_ns() - began
        answer = json.loads(done)
        return (answer["resident"] if case.kind == "resident" else took), answer

    return Contender(lambda calls: sum(run()[0] for _ in range(calls)), run()[1]["result"])


def _ask(request: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_run(["-m", "tests.bench.fresh"], json.dumps(request)))
    return answer


def _run(arguments: list[str], given: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "runtime")])},
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "a new process failed")
    return done.stdout


def _main() -> None:
    request = json.loads(sys.stdin.read())
    open_service = OPENERS.get(request["opener"], _engine)(request)
    result: Any = None
    if request["kind"] == "memory":
        kept = [open_service()]
        kept[0]()
        gc.collect()
        before = resident()
        for _ in range(SERVICES):
            kept.append(open_service())
            result = kept[-1]()
        gc.collect()
        value = max(resident() - before, 0) // SERVICES
    else:
        gc.collect()  # of what this program imports, which is much more than a user's does
        began = perf_counter_ns()
        result = open_service()()
        value = perf_counter_ns() - began
    print(json.dumps({"value": value, "result": result}))


def _engine(request: dict[str, Any]) -> Callable[[], Callable[[], Any]]:
    """Loads a built directory with the runtime alone, or modules with the interpreter."""
    built = request["modules"].get("built")
    if built:
        import marine_runtime

        load: Callable[[], Any] = partial(marine_runtime.load, built)
    else:
        import marine_gen

        load = partial(marine_gen.load, request["modules"], engine=request["opener"])

    def open_service() -> Callable[[], Any]:
        service = load()
        return partial(service.call, request["module"], request["function"], request["arguments"])

    return open_service


def _by_hand(request: dict[str, Any]) -> Callable[[], Callable[[], Any]]:
    from tests.bench.peers.by_hand import open_string_call

    modules = {name: Path(path).read_bytes() for name, path in request["modules"].items()}
    return lambda: partial(open_string_call(modules, request["function"]), *request["arguments"])


def _extism(request: dict[str, Any]) -> Callable[[], Callable[[], Any]]:
    from tests.bench.peers.extism_sdk import open_call

    def open_service() -> Callable[[], Any]:
        call = open_call(request["shape"], request["length"])
        return lambda: call(*request["arguments"]).decode()

    return open_service


def _component(request: dict[str, Any]) -> Callable[[], Callable[[], Any]]:
    from tests.bench.peers.components import component_of, open_component

    content = component_of(request["shape"], request["length"])
    return lambda: partial(open_component(content, "echo"), *request["arguments"])


OPENERS: dict[str, Callable[[dict[str, Any]], Callable[[], Callable[[], Any]]]] = {
    "by hand": _by_hand,
    "extism": _extism,
    "component": _component,
}


if __name__ == "__main__":
    _main()
