"""Python expressions with something wrong in them, over the names that users have."""

from __future__ import annotations

import asyncio
import inspect
import io
import re
import warnings
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import marine_gen
import marine_gen.client
import marine_gen.serve
import marine_runtime
from marine_gen.artifact.workbench import Workbench, open_workbench
from marine_gen.client import RemoteService
from marine_runtime import (
    CallOptions,
    HostFunction,
    LoadOptions,
    MarineError,
    ModuleConfig,
    MountedBinary,
    ParticleParameters,
    Prim,
    PythonModule,
    Service,
    ServiceConfig,
    ServiceHost,
    Tracer,
    tracing,
)
from marine_runtime.pool import AsyncPool, AsyncServicePool, ServicePool
from marine_runtime.pool.options import PoolOptions
from marine_runtime.service.options import RunOptions
from tests.support.engines import guests
from tests.support.served import served
from tests.wrong_values.commands import FILES, sandbox


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


def _awaited(call: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(call)


PUBLIC: dict[str, Any] = {
    "load": marine_gen.load,
    "build": marine_gen.build,
    "component": marine_gen.component,
    "marine_runtime.load": marine_runtime.load,
    "open_workbench": open_workbench,
    "Workbench.load": Workbench.load,
    "Workbench.unload": Workbench.unload,
    "Service.load_module": Service.load_module,
    "Service.unload_module": Service.unload_module,
    "Service.call": Service.call,
    "Service.call_json": Service.call_json,
    "Service.call_batch": Service.call_batch,
    "ServicePool": ServicePool,
    "ServicePool.call": ServicePool.call,
    "ServicePool.map": ServicePool.map,
    "ServicePool.submit": ServicePool.submit,
    "ServicePool.interrupt": ServicePool.interrupt,
    "ServicePool.close": ServicePool.close,
    "AsyncPool": AsyncPool,
    "AsyncPool.run": AsyncPool.run,
    "AsyncServicePool": AsyncServicePool,
    "connect": marine_gen.client.connect,
    "RemoteService.call": RemoteService.call,
    "RemoteService.call_batch": RemoteService.call_batch,
    "RemoteService.run_async": RemoteService.run_async,
    "app": marine_gen.serve.app,
    "ServeLimits": marine_gen.serve.ServeLimits,
    "Access": marine_gen.serve.Access,
    "ServiceConfig": ServiceConfig,
    "ModuleConfig": ModuleConfig,
    "MountedBinary": MountedBinary,
    "CallParameters": marine_runtime.CallParameters,
    "ParticleParameters": ParticleParameters,
    "SecurityTetraplet": marine_runtime.SecurityTetraplet,
    "PythonModule": PythonModule,
    "HostFunction": HostFunction,
    "HostFunction.of": HostFunction.of,
    "HostFunction.from_callable": HostFunction.from_callable,
    "host_function": marine_runtime.host_function,
    "ServiceHost.function": ServiceHost().function,
    "Tracer": Tracer,
    "tracing": tracing,
    "read_config": marine_runtime.read_config,
    "parse_config": marine_runtime.parse_config,
    "parse_size": marine_runtime.parse_size,
    "ModuleInterface.signature": marine_runtime.ModuleInterface.signature,
}
"""Objects of the rows, by the names that they use."""

PASSED_ON = ("AsyncPool", "AsyncPool.run", "RemoteService.run_async")
"""Those whose further arguments are what a function is called with."""

OPTIONS: dict[str, Any] = {
    "load": LoadOptions,
    "marine_runtime.load": LoadOptions,
    "open_workbench": RunOptions,
    "ServicePool": PoolOptions,
    "AsyncServicePool": PoolOptions,
    "Service.call": CallOptions,
    "Service.call_json": CallOptions,
    "Service.call_batch": CallOptions,
    "ServicePool.call": CallOptions,
    "ServicePool.map": CallOptions,
    "ServicePool.submit": CallOptions,
}
"""Typed keyword arguments, where they are not in the signature."""

_WORDS = {
    r"(got an unexpected keyword argument '\w+')\. Did you mean '\w+'\?": r"\1",
    r"it's not found as __main__\.<lambda>": "attribute lookup <lambda> on __main__ failed",
}
"""Sentences of Python 3.14, and how they were before."""


def parameters() -> set[str]:
    """Every parameter, as `load config`."""
    found: set[str] = set()
    for name, item in PUBLIC.items():
        options = set(OPTIONS[name].__annotations__) if name in OPTIONS else set[str]()
        own = {given for given in inspect.signature(item).parameters if given not in ("self", "service_type")}
        if name in PASSED_ON:
            own -= {"args", "kwargs"}
        if name in OPTIONS:
            own.discard("options")  # the typed keywords
        found |= {f"{name} {parameter}" for parameter in own | options}
    return found


RAW = "raw "
"""Marks an error that Python raised somewhere inside."""


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
                **{name: item for name, item in PUBLIC.items() if "." not in name},
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

    def outcome(self, text: str) -> str:
        """The exception of an expression, or its value, with warnings before them."""
        names = dict(self.names())
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", marine_runtime.MarineWarning)
            try:
                found = eval(text, names)
                if isinstance(found, (Service, ServicePool)):
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
