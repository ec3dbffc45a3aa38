"""The public callables of both packages and their parameters, found by walking over what the packages list."""

from __future__ import annotations

import enum
import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

PACKAGES = ("marine_runtime", "marine_gen", "marine_runtime.pool", "marine_gen.client", "marine_gen.serve")
"""Those that users import. `marine_runtime.ray` has rows of its own, as it needs Ray."""

ALSO = {"marine_gen.artifact": ("open_workbench", "Workbench")}
"""Public names of packages that list more than users need."""

EXEMPT = {
    "F32 S8 S16 S32 S64 U8 U16 U32 U64": "annotations, which nobody calls",
    "CallOptions LoadOptions RunOptions": "types of keyword arguments, whose keys have rows where they are used",
    "HostFunctions": "a protocol",
    "ServiceState Prim": "enumerations",
    "BasePool.*": "the rows are those of `ServicePool`, which has these methods",
    "RemoteService": "made by `connect`",
    "AsyncPool.call AsyncPool.map": "the rows are those of `AsyncServicePool`, which has these methods",
    "AsyncServicePool.run": "the rows are those of `AsyncPool`",
    "Array Field FunctionType Record RecordType": "data without checks, which are looked at where a function gets them",
    "ConfigFile Interface ModuleInterface Site Statistics PoolStatistics": "results, which the library makes",
    "BuildResult Component Diagnostic CompileStep": "results, which the compiler makes",
    "FunctionMarshaller.* ServiceMarshaller.*": "made for pools and clients",
    "Settings": "the rows are those of `app`, which makes them",
    "Service": "made by `load`",
    "Workbench": "made by `open_workbench`",
    "Service.keep_alive": "takes anything",
    "PythonModule.bind ModuleInterface.of HostFunction.codes ServiceConfig.module Service.record_classes": "for the "
    "linker, which asks for any module",
    "Interface.of": "made for a service",
    "ServiceConfig.from_json": "for built directories, whose documents the manifest checks",
    "Tracer.begin Tracer.track": "for the runtime, which records with them",
}
"""Callables without rows, and the reason. A class is exempt as what is called; its methods are with `.*` only."""


def signatures() -> dict[str, inspect.Signature]:
    """The signature of every public callable that is not exempt, by the name that rows have."""
    exempt = exemptions()
    return {
        name: inspect.signature(item)
        for name, item in callables().items()
        if name not in exempt and f"{name.partition('.')[0]}.*" not in exempt
    }


def callables() -> dict[str, Callable[..., Any]]:
    """Every public function, class and method, but for exceptions, by the name that rows have."""
    found: dict[str, Callable[..., Any]] = {}
    places = [(package, importlib.import_module(package).__all__) for package in PACKAGES]
    for package, names in [*places, *ALSO.items()]:
        for name in names:
            item = getattr(importlib.import_module(package), name)
            if inspect.isclass(item) and issubclass(item, BaseException):
                continue
            if callable(item) and item not in found.values():
                known = found if package != "marine_runtime" or name != "load" else None
                found[name if known is not None else f"{package}.{name}"] = item
    return {key: method for name, item in found.items() for key, method in _methods(name, item)}


def _methods(name: str, item: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    yield name, item
    if not inspect.isclass(item) or issubclass(item, (dict, enum.Enum)):
        return
    for member, method in inspect.getmembers(item, callable):
        if not member.startswith("_"):
            yield f"{name}.{member}", method


def exemptions() -> set[str]:
    """The names of `EXEMPT`, one by one."""
    return {name for names in EXEMPT for name in names.split()}


def parameters() -> set[str]:
    """Every parameter of these callables, as `load config`."""
    return {
        f"{name} {parameter}"
        for name, signature in signatures().items()
        for parameter, item in signature.parameters.items()
        if parameter not in ("self", "service_type") and not (name in PASSED_ON and item.kind in _VARIADIC)
    }


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
PASSED_ON = ("AsyncPool", "AsyncPool.run", "RemoteService.run_async")
"""Those whose further arguments are what a function is called with."""
