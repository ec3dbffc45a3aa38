"""Our own engines, over both call layers."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import marine_gen
from marine_gen.artifact import ENGINES, compile_service, read_target
from marine_gen.artifact.fuse import fuse
from marine_gen.bench.candidates import public_arguments
from marine_runtime import Service, host_function
from marine_runtime.config.cache_directory import CACHE_VARIABLE
from marine_runtime.wasm import open_runtime
from tests.bench.cases.host_side import document
from tests.bench.fresh import run_fresh, run_program
from tests.bench.model import ANSWERED, MADE, STARTED, Case, Work
from tests.bench.peers.base import Contender, NotMeasuredError, contender, least_loops, no_result, of_size
from tests.bench.starts import run_command
from tests.support.engines import normalised

_SHORT = ("scalar", "string", "record", "record of 13")
"""Shapes of which a crossing takes less than a microsecond."""

LOOPS = {"u64s": 1000}
"""The fewest repetitions of a call between modules by the fastest engine, by what crosses."""

OURS = ENGINES[0]
"""The peer that the others are compared with: the default engine over the fast call layer."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine over one call layer."""

    engine: str
    call_layer: str = "fast"

    @property
    def name(self) -> str:
        """The engine, and the call layer when it is not the fast one."""
        return self.engine if self.call_layer == "fast" else f"{self.engine}, {self.call_layer} API"

    @property
    def about(self) -> str:
        """The description for the report."""
        layer = "our call layer" if self.call_layer == "fast" else "the public API of Wasmtime's Python binding"
        return f"marine-gen, engine `{self.engine}` over {layer}"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        work = case.work
        if case.crossing and self.engine == OURS:
            # Others are so much slower that a short loop is long enough.
            work = work.longer(least_loops(work, LOOPS, 20_000 if work.shape in _SHORT else 200))
        if case.kind == "call":
            call = public_call(stack.enter_context(self._load(work)), work)
            made = contender(call, work.per)
            result = normalised(made.result)
            return Contender(made.watch, case.work.expected if result == work.expected else result, work.per)
        if case.kind == "batch":
            service = stack.enter_context(self._load(work))
            rows = [public_values(service, work)] * case.count
            made = contender(partial(service.call_batch, work.module, work.function, rows), case.count * work.per)
            return Contender(made.watch, normalised(made.result[-1]), made.per)
        if case.kind == "json":
            service = stack.enter_context(self._load(work))
            return contender(partial(service.call_json, work.module, work.function, document(work)))
        if case.kind == "host":
            service = stack.enter_context(self._load(work, host_functions={"echo": _echo}))
            return contender(public_call(service, work), work.per)
        if case.kind == "services":
            services = [stack.enter_context(self._load(work)) for _ in range(case.count)]
            calls = [public_call(service, work) for service in services]
            return contender(partial(_all, calls), case.count)
        if case.kind in MADE:
            return self._made(case)
        if self.call_layer != "fast":
            raise NotMeasuredError("loads as the interpreter does; the call layer makes no difference")
        return self._loading(case, stack)

    def _made(self, case: Case) -> Contender:
        if self.name != OURS or case.kind not in ("glue", "glue size"):
            raise NotMeasuredError(f"has nothing like this ({case.kind})")
        compiled = compile_service(read_target(dict(case.work.modules)))
        made = [binary for output in fuse(compiled) if output for binary in output.wasm.values()]
        if case.kind == "glue size":
            return of_size(sum(map(len, made)))
        compile_wasm = open_runtime().compile
        return contender(partial(no_result, lambda: [compile_wasm(binary) for binary in made]))

    def _loading(self, case: Case, stack: ExitStack) -> Contender:
        scratch = scratch_folder(stack)
        files = write_modules(case.work, scratch)
        if case.kind == "build":
            if self.engine == "interpreter":
                raise NotMeasuredError("can't be built ahead of time")
            build = partial(marine_gen.build, files, scratch / "built", engine=self.engine, force=True)
            return contender(partial(no_result, build))
        if case.kind == "cold load":
            return contender(partial(self._open_and_close, files, scratch / "cold", clear=True))
        if case.kind == "warm load":
            return contender(partial(self._open_and_close, files, scratch / "warm", clear=False))
        if case.kind in (*STARTED, *ANSWERED) and self.name != OURS:
            raise NotMeasuredError("starts as the default engine does")
        if case.kind == "second load":
            self._open_and_close(files, scratch / "warm", clear=True)
            with _cache_in(scratch / "warm"):
                stack.enter_context(marine_gen.load(files, engine=self.engine))
            return contender(partial(self._open_and_close, files, scratch / "warm", clear=False))
        if case.kind in ANSWERED:
            clear = case.kind == "cold answer"
            return contender(
                partial(no_result, partial(self._answer, case.work, files, scratch / "answer", clear=clear))
            )
        if case.kind in STARTED:
            built = marine_gen.build(files, scratch / "built", force=True).directory
            return run_command(case, built, files[case.work.module], scratch / "cache")
        run = run_program if case.kind in ("process", "resident") else run_fresh
        if self.engine == "interpreter":
            return run(case, self.engine, {name: str(path) for name, path in files.items()})
        built = marine_gen.build(files, scratch / "built", engine=self.engine, force=True).directory
        return run(case, self.engine, {"built": str(built)})

    def _open_and_close(self, files: dict[str, Path], cache: Path, *, clear: bool) -> None:
        if clear:
            shutil.rmtree(cache, ignore_errors=True)
        with _cache_in(cache):
            marine_gen.load(files, engine=self.engine).close()

    def _answer(self, work: Work, files: dict[str, Path], cache: Path, *, clear: bool) -> None:
        if clear:
            shutil.rmtree(cache, ignore_errors=True)
        with _cache_in(cache), marine_gen.load(files, engine=self.engine) as service:
            public_call(service, work)()

    def _load(self, work: Work, **options: Any) -> Service:
        service = marine_gen.load(dict(work.modules), engine=self.engine, call_layer=self.call_layer, **options)
        if service.call_layer != self.call_layer:
            service.close()
            raise NotMeasuredError("the fast call layer is not available here; see `marine-gen doctor`")
        return service


@contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    """The user's cache is in there meanwhile."""
    before = os.environ.get(CACHE_VARIABLE)
    os.environ[CACHE_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[CACHE_VARIABLE]
        else:
            os.environ[CACHE_VARIABLE] = before


@host_function
def _echo(value: str) -> str:
    return value


def public_call(service: Service, work: Work) -> Any:
    """The call of a case as a Python program would write it."""
    return partial(service.modules[work.module][work.function], *public_values(service, work))


def public_values(service: Service, work: Work) -> list[Any]:
    """Arguments of the public types: records are instances of the service's own classes."""
    if all(isinstance(argument, (int, str, bytes)) for argument in work.arguments):
        return list(work.arguments)
    return public_arguments(service, work.module, work.function, arguments_json(work))


def arguments_json(work: Work) -> str:
    """The arguments of a case as JSON: byte arrays are lists of numbers, records lists of fields."""
    return json.dumps(work.arguments, default=list)


def scratch_folder(stack: ExitStack) -> Path:
    """A folder that is gone when the stack closes."""
    return Path(stack.enter_context(tempfile.TemporaryDirectory()))


def write_modules(work: Work, folder: Path) -> dict[str, Path]:
    """The modules of a case as files."""
    files = {name: folder / f"{name}.wasm" for name in work.modules}
    for name, path in files.items():
        path.write_bytes(work.modules[name])
    return files


def _all(calls: Sequence[Any]) -> None:
    for call in calls:
        call()
