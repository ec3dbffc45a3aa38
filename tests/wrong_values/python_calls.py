"""Python expressions with something wrong in them, over the names that users have."""

from __future__ import annotations

import asyncio
import io
import re
import warnings
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import marine_gen
import marine_gen.client
import marine_gen.serve
import marine_runtime
from marine_gen.artifact.workbench import open_workbench
from marine_gen.client import AsyncRemoteService, RemoteService
from marine_runtime import MarineError, Prim, Service, ServiceHost, Tracer
from marine_runtime.pool import AsyncServicePool, ServicePool
from tests.support.engines import guests
from tests.support.served import served
from tests.wrong_values.commands import FILES, sandbox
from tests.wrong_values.public import callables


async def coroutine(name: str) -> str:
    """A function that no guest can call."""
    return name


def greet(name: str) -> str:
    """A function that guests can call."""
    return name


def _run_server(application: Any) -> None:
    async def start() -> None:
        async with application:
            pass

    asyncio.run(start())


def _enter(pool: AsyncServicePool, *call: Any) -> None:
    async def start() -> None:
        async with pool:
            if call:
                await pool.run(*call)

    asyncio.run(start())


def _asked(call: Callable[[AsyncServicePool], Coroutine[Any, Any, Any]]) -> Any:
    async def start() -> Any:
        async with AsyncServicePool(_greeting, kind="threads", workers=1) as pool:
            return await call(pool)

    return asyncio.run(start())


def _stopped(path: Any) -> Any:
    tracer = Tracer()
    tracer.start()
    return tracer.stop(path)


def _awaited(call: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(call)


RAW = "raw "
"""Marks an error that Python raised somewhere inside."""

_WORDS = {
    r"(got an unexpected keyword argument '\w+')\. Did you mean '\w+'\?": r"\1",
    r"it's not found as __main__\.<lambda>": "attribute lookup <lambda> on __main__ failed",
}
"""Sentences of Python 3.14, and how they were before."""


class Runner:
    """Evaluates rows in a folder with files."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._url = stack.enter_context(served(guests("greeting"))).url  # servers end at once in the folder
        stack.enter_context(sandbox(folder))
        self._stack = stack
        self._names: dict[str, Any] = {}

    def names(self) -> dict[str, Any]:
        """The names that rows may use."""
        if not self._names:
            enter = self._stack.enter_context
            self._names = {
                **{name: item for name, item in callables().items() if "." not in name},
                "marine_gen": marine_gen,
                "marine_runtime": marine_runtime,
                "Path": Path,
                "io": io,
                "nan": float("nan"),
                "inf": float("inf"),
                "coroutine": coroutine,
                "awaited": _awaited,
                "entered": _enter,
                "started": _run_server,
                "Prim": Prim,
                "Array": marine_runtime.Array,
                "Field": marine_runtime.Field,
                "FunctionType": marine_runtime.FunctionType,
                "Record": marine_runtime.Record,
                "RecordType": marine_runtime.RecordType,
                "CallParameters": marine_runtime.CallParameters,
                "SecurityTetraplet": marine_runtime.SecurityTetraplet,
                "ServiceHost": ServiceHost,
                "config": FILES["service.toml"],
                "greet": greet,
                "entered_block": _enter_block,
                "asked": _asked,
                "asked_remote": self._asked_remote,
                "stopped": _stopped,
                "built": _built(),
                "called": self._called,
                "service": enter(marine_gen.load("greeting.wasm", host_functions={})),
                "bench": open_workbench("greeting.wasm"),
                "remote": enter(marine_gen.client.connect(self._url)),
                "pool": enter(ServicePool(_greeting, kind="threads", workers=1)),
            }
        return self._names

    def _called(self, given: Any) -> Any:
        return self._names["service"].call("greeting", "greeting", ["a"], call_parameters=given)

    def _asked_remote(self, call: Callable[[AsyncRemoteService], Coroutine[Any, Any, Any]]) -> Any:
        async def start() -> Any:
            async with AsyncRemoteService(self._url) as service:
                return await call(service)

        return asyncio.run(start())

    def outcome(self, text: str) -> str:
        """The exception of an expression, or its value, with warnings before them."""
        names = dict(self.names())
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", marine_runtime.MarineWarning)
            try:
                found = eval(text, names)
                if isinstance(found, (Service, ServicePool, RemoteService)):
                    found.close()
                last = "accepted"
            except MarineError as error:
                last = f"{type(error).__name__}: {error}"
            except Exception as error:
                text = str(error)
                unknown = isinstance(error, TypeError) and "() got an unexpected keyword" in text
                absent = isinstance(error, AttributeError) and text.startswith("there is no ")
                last = f"{'' if unknown or absent else RAW}{type(error).__name__}: {error}"
        lines = [f"MarineWarning: {item.message}" for item in told]
        text = "\n".join([*lines, last]).replace(str(self._folder), "…").replace("\0", "\\0")
        for newer, older in _WORDS.items():
            text = re.sub(newer, older, text)
        return re.sub(r"0x[0-9a-f]{6,}|(?<=from 65536 to )\d+", "…", text)


def _enter_block(block: Any) -> None:
    with block:
        pass


def _built() -> str:
    marine_gen.build("greeting.wasm", "built")
    return "built"


def _greeting() -> Service:
    return marine_gen.load("greeting.wasm")
