"""The default engine with the optional extension, in a process of its own: in this one nothing else may use it."""

from __future__ import annotations

import multiprocessing
import os
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import marine_gen
from marine_runtime.wasm.speedups import VARIABLE, problem, speedups
from tests.bench.model import Case, Work
from tests.bench.peers.base import Contender, NotMeasuredError, contender
from tests.bench.peers.engines import OURS, public_call

NAME = f"{OURS}, accelerator"

_PATIENCE = 60  # seconds; no sample takes so long


@dataclass(frozen=True, slots=True)
class Accelerated:
    """Calls in C, where a function has one."""

    name: str = NAME
    about: str = f"marine-gen, engine `{OURS}` with `marine-speedups`, in a process of its own"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        if case.kind != "call" or case.crossing or case.work.per > 1:
            raise NotMeasuredError("has single calls from the host in C, and nothing else")
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, case.work), daemon=True)
        before = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = "1"
        try:
            process.start()
        finally:
            del os.environ[VARIABLE]
            if before is not None:
                os.environ[VARIABLE] = before
        theirs.close()
        stack.callback(process.join, _PATIENCE)
        stack.callback(ours.close)  # ends the process
        missing, result = _answer(ours)
        if missing:
            raise NotMeasuredError(missing)

        def watch(calls: int) -> int:
            ours.send(calls)
            took: int = _answer(ours)
            return took

        return Contender(watch, result)


def _answer(pipe: Connection) -> Any:
    if not pipe.poll(_PATIENCE):
        raise NotMeasuredError(f"its process gave no answer in {_PATIENCE} s")
    return pipe.recv()


def _serve(pipe: Connection, work: Work) -> None:
    """The process: says what is missing and what a call gives, then times as many calls as it is asked for."""
    extension = speedups()
    if extension is None:
        pipe.send((f"the extension is not in use: {problem()}; `make speedups` installs it", None))
        return
    with marine_gen.load(dict(work.modules), engine=OURS) as service:
        if type(service.modules[work.module][work.function]) is not extension.Call:
            pipe.send(("has nothing in C for such values", None))
            return
        made = contender(public_call(service, work))
        pipe.send(("", made.result))
        while True:
            try:
                calls = pipe.recv()
            except EOFError:
                return
            pipe.send(made.watch(calls))
