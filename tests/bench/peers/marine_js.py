"""marine-js, the runtime for JavaScript: the same modules, measured inside Node by js/rounds.mjs.

One Node process serves a whole run. It is asked for rounds over a pipe, so that it takes turns with the peers of this
process, and its own clock measures. Only kinds about processes start one each, as they do for everybody.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from tests.bench.fresh import SERVICES
from tests.bench.model import ANSWERED, MADE, STARTED, Case
from tests.bench.peers.base import Contender, NotMeasuredError
from tests.bench.peers.engines import arguments_json, scratch_folder, write_modules

SCRIPT = Path(__file__).parent / "js" / "rounds.mjs"
PACKAGE = Path("node_modules", "@fluencelabs", "marine-js")
AVM = Path("node_modules", "@fluencelabs", "avm", "dist", "avm.wasm")
LARGEST_BYTES = 2**20


class Node:
    """A Node process with marine-js.

    Args:
        folder: where npm has installed js/package.json.

    Raises:
        NotMeasuredError: Node or the package is not there, or does not start.
    """

    def __init__(self, folder: Path) -> None:
        node = shutil.which("node")
        if node is None:
            raise NotMeasuredError("Node is not installed")
        if not (folder / PACKAGE).is_dir():
            raise NotMeasuredError("the npm package @fluencelabs/marine-js is not installed; `make bench` installs it")
        self.folder = folder
        self._next = 0
        self._process = subprocess.Popen(
            [node, "--expose-gc", str(SCRIPT)],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        try:
            self.versions: dict[str, str] = self.ask("versions")
        except BaseException:
            self.close()
            raise

    def ask(self, operation: str, **values: Any) -> Any:
        """Send a request and wait for its answer.

        Raises:
            NotMeasuredError: marine-js refused, or the process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"operation": operation} | values) + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise NotMeasuredError("the Node process has ended") from error
        line = self._process.stdout.readline()
        if not line:
            raise NotMeasuredError("the Node process has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise NotMeasuredError(f"marine-js: {answer['error'].splitlines()[0][:200]}")
        return answer["answer"]

    def forget(self, number: int) -> None:
        """Drop services; a process that has ended has done so already."""
        with suppress(NotMeasuredError):
            self.ask("close", id=number)

    def number(self) -> int:
        """A new name for a service."""
        self._next += 1
        return self._next

    def close(self) -> None:
        """End the process, at once if need be."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class MarineJs:
    """One of the two ways to call it.

    Attributes:
        node: the process, or why there is none.
        text: call the control module's own function, from JSON text to JSON text.
    """

    node: Node | str
    text: bool = False

    @property
    def name(self) -> str:
        """With the interface."""
        return "marine-js, JSON text" if self.text else "marine-js"

    @property
    def about(self) -> str:
        """The description for the report."""
        what = "called at its control module, JSON text in and out" if self.text else "called as its users do"
        if isinstance(self.node, str):
            return f"marine-js, {what} (missing: {self.node})"
        versions = self.node.versions
        return f"marine-js {versions['marine-js']} on Node {versions['node']} (V8 {versions['v8']}), {what}"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        if isinstance(self.node, str):
            raise NotMeasuredError(self.node)
        if case.kind in ("batch", "build", "json", "host", *MADE, *STARTED, *ANSWERED):
            raise NotMeasuredError(f"has nothing like this ({case.kind})")
        if any(isinstance(item, bytes) and len(item) > LARGEST_BYTES for item in case.work.arguments):
            raise NotMeasuredError("bytes are JSON arrays of numbers; left out above 1 MiB")
        node = self.node
        files = write_modules(case.work, scratch_folder(stack))
        request: dict[str, Any] = {"modules": {name: str(path) for name, path in files.items()}}
        call = {"function": case.work.function, "arguments": json.loads(arguments_json(case.work))}
        if case.kind in ("cold load", "warm load", "first call", "process", "memory", "resident"):
            if self.text:
                raise NotMeasuredError("loads as marine-js does")
            if case.kind in ("cold load", "warm load"):
                cold = case.kind == "cold load"
                return Contender(lambda calls: int(node.ask("load", calls=calls, cold=cold, **request)))
            request |= call | {"count": SERVICES}
            if case.kind == "process":
                return _whole_process(node.folder, request | {"id": 1, "count": 1})
            operation = "first" if case.kind == "first call" else str(case.kind)

            def watch(calls: int) -> int:
                return sum(int(_in_new_process(node.folder, operation, request)["value"]) for _ in range(calls))

            result = _in_new_process(node.folder, operation, request)["result"]
            return Contender(watch, result)
        number = node.number()
        count = case.count if case.kind == "services" else 1
        result = node.ask("open", id=number, count=count, **request, **call)
        stack.callback(node.forget, number)
        per = count * case.work.per
        return Contender(lambda calls: int(node.ask("time", id=number, calls=calls, text=self.text)), result, per)


def _whole_process(folder: Path, request: dict[str, Any]) -> Contender:
    def run() -> tuple[int, Any]:
        began = perf_counter_ns()
        result = _in_new_process(folder, "open", request)
        return perf_counter_ns() - began, result

    return Contender(lambda calls: sum(run()[0] for _ in range(calls)), run()[1])


def _in_new_process(folder: Path, operation: str, request: dict[str, Any]) -> Any:
    with Node(folder) as node:
        return node.ask(operation, **request)
