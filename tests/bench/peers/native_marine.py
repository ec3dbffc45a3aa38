"""Native Marine: the Rust crates behind a line protocol, measured inside their process.

`make bench-native` builds the process from tests/bench/native. It takes turns with the other peers, as Node does.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from tests.bench.cases.host_side import PARAMETERS
from tests.bench.fresh import SERVICES
from tests.bench.model import ANSWERED, MADE, STARTED, Case, Kind
from tests.bench.peers.base import Contender, NotMeasuredError
from tests.bench.peers.engines import arguments_json, scratch_folder, write_modules
from tests.support.paths import ROOT

BINARY = ROOT / ".venv-bench" / "native" / "release" / "native-marine"
PATIENCE = 60.0
"""Seconds after which a request is aborted, together with the process."""

NATIVE = "native Marine"
NATIVES = (NATIVE, f"{NATIVE} pooling")
"""Its names. The report keeps their last figures when a run lacks them."""

LARGEST_BYTES = 2**20
UNLIKE = ("batch", "build", "host", "warm load", "services", *MADE, *STARTED, *ANSWERED)
"""Kinds that it has no counterpart of, but for the call parameters among calls to the host."""


class NativeProcess:
    """Marine in a process of its own.

    Attributes:
        runtime: its name and version.

    Raises:
        NotMeasuredError: it is not built, or does not start.
    """

    def __init__(self, *options: str, binary: Path = BINARY) -> None:
        if not binary.is_file():
            raise NotMeasuredError("native Marine is not built; `make bench-native` builds it, with cargo")
        self._process = subprocess.Popen(
            [binary, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            self.runtime: str = self._read()["runtime"]
        except BaseException:
            self.close()
            raise

    def ask(self, operation: str, **values: Any) -> dict[str, Any]:
        """The answer to a request, whose `ok` says if it succeeded.

        Raises:
            NotMeasuredError: the process has ended, or took too long.
        """
        assert self._process.stdin is not None
        late = threading.Timer(PATIENCE, self._process.kill)
        late.start()
        try:
            with suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps({"op": operation} | values).encode() + b"\n")
                self._process.stdin.flush()
            return self._read()
        finally:
            late.cancel()

    def must(self, operation: str, **values: Any) -> dict[str, Any]:
        """The answer to a request that has to succeed.

        Raises:
            NotMeasuredError: it did not.
        """
        answer = self.ask(operation, **values)
        if not answer["ok"]:
            raise NotMeasuredError(f"native Marine: {answer['error'].splitlines()[0][:200]}")
        return answer

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise NotMeasuredError(f"the process of native Marine ended with code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> NativeProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class NativeMarine:
    """Native Marine as its embedders call it, or the reason why it is not there.

    Attributes:
        process: the process, or why there is none.
        options: of processes that are started for one sample.
        binary: the program of these.
    """

    process: NativeProcess | str
    options: tuple[str, ...] = ()
    binary: Path = BINARY

    @property
    def name(self) -> str:
        """With its options."""
        return " ".join([NATIVE, *(option.strip("-") for option in self.options)])

    @property
    def about(self) -> str:
        """The description for the report."""
        how = ", with the pooling allocator of Wasmtime" if self.options else ", configured as by mrepl"
        if isinstance(self.process, str):
            return f"Marine's own runtime in Rust{how} (missing: {self.process})"
        return f"Marine's own runtime in Rust, {self.process.runtime}, called from Rust with interface values{how}"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        if isinstance(self.process, str):
            raise NotMeasuredError(self.process)
        if case.kind in UNLIKE and case.work.shape != PARAMETERS:
            raise NotMeasuredError(f"has nothing like this ({case.kind})")
        if any(isinstance(item, bytes) and len(item) > LARGEST_BYTES for item in case.work.arguments):
            raise NotMeasuredError("bytes reach the process as JSON; left out above 1 MiB")
        files = write_modules(case.work, scratch_folder(stack))
        modules = [[name, str(path)] for name, path in files.items()]
        arguments = json.loads(arguments_json(case.work))
        call = {"module": case.work.module, "fn": case.work.function, "args": arguments}
        if case.kind == "cold load":
            return Contender(lambda calls: sum(_load(self.process, modules) for _ in range(calls)))
        take = TAKEN.get(case.kind)
        if take is not None:
            start = partial(NativeProcess, *self.options, binary=self.binary)
            with start() as process:
                process.must("load", modules=modules)
                result = process.must("call", **call)["result"]
            return Contender(lambda calls: sum(take(start, modules, call) for _ in range(calls)), result)
        slot = case.name
        self.process.must("load", modules=modules, slot=slot)
        stack.callback(self.process.ask, "drop", slot=slot)
        call |= {"slot": slot}
        result = self.process.must("call", **call, timeout_ms=int(PATIENCE * 1000))["result"]
        call |= {"mode": "text" if case.kind == "json" else "ivalue"}
        process = self.process
        return Contender(lambda calls: int(process.must("time", calls=calls, **call)["ns"]), result, case.work.per)


def _load(process: Any, modules: list[list[str]]) -> int:
    took = int(process.must("load", modules=modules, slot="load")["ns"])
    process.must("drop", slot="load")
    return took


Start = Callable[[], NativeProcess]


def _first(start: Start, modules: list[list[str]], call: dict[str, Any]) -> int:
    with start() as process:
        loaded = process.must("load", modules=modules)["ns"]
        return int(loaded + process.must("time", calls=1, **call)["ns"])


def _process(start: Start, modules: list[list[str]], call: dict[str, Any]) -> int:
    began = perf_counter_ns()
    with start() as process:
        process.must("load", modules=modules)
        process.must("call", **call)
    return perf_counter_ns() - began


def _resident(start: Start, modules: list[list[str]], call: dict[str, Any]) -> int:
    with start() as process:
        process.must("load", modules=modules)
        process.must("call", **call)
        return int(process.must("rss")["rss"])


def _memory(start: Start, modules: list[list[str]], call: dict[str, Any]) -> int:
    with start() as process:
        sizes = []
        for number in range(SERVICES + 1):
            process.must("load", modules=modules, slot=str(number))
            process.must("call", slot=str(number), **call)
            sizes.append(int(process.must("rss")["rss"]))
        return max((sizes[-1] - sizes[0]) // SERVICES, 1)


Taken = Callable[[Start, list[list[str]], dict[str, Any]], int]
TAKEN: dict[Kind, Taken] = {"first call": _first, "process": _process, "memory": _memory, "resident": _resident}
"""Measurements of a process that is started for one sample, by kind."""
