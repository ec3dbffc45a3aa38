"""Components, called as services are: in Wasmtime's Python package, with values converted by the components' types."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import wasmtime
from wasmtime import component

from marine_gen.artifact import component as make
from marine_gen.artifact import read_target
from marine_gen.component_backend import Component, ComponentOptions
from marine_gen.component_backend.names import kebab
from tests.support.available import unavailable
from tests.support.engines import Modules


def made(modules: Modules, **options: Any) -> Component:
    """The component of a service, given as modules in load order; its package is `test:service`."""
    return make(read_target(dict(modules)), ComponentOptions(**{"package": "test:service", **options}))


Host = Mapping[str, Mapping[str, Callable[..., Any]]]


class ComponentService:
    """A running component of one interface."""

    def __init__(
        self, made: Component, host: Host | None = None, wasi: Callable[[], wasmtime.WasiConfig] | None = None
    ) -> None:
        """Instantiate a component.

        Args:
            made: the component.
            host: functions by interface and name; they get and return the values of Wasmtime's package.
            wasi: makes what WASI gives the component, if it imports any.
        """
        self._host = host or {}
        self._wasi = wasi
        self._interface = made.exports
        self._engine = _engine()
        self._component = component.Component(self._engine, made.wasm)
        self.restart()

    def restart(self) -> None:
        """Make a new instance: one in which a call has trapped can't be entered again."""
        self.store = wasmtime.Store(self._engine)
        linker = component.Linker(self._engine)
        if self._wasi:
            linker.add_wasip2()
            self.store.set_wasi(self._wasi())
        for interface, functions in self._host.items():
            with linker.root() as root, root.add_instance(interface) as instance:
                for name, function in functions.items():
                    instance.add_func(name, function)
        self.instance = linker.instantiate(self.store, self._component)
        self._functions: dict[str, tuple[component.Func, component.FuncType]] = {}

    def function(self, name: str) -> component.Func | None:
        """An exported function, by its name in the module."""
        interface = self.instance.get_export_index(self.store, self._interface)
        assert interface is not None
        index = self.instance.get_export_index(self.store, kebab(name, "function"), interface)
        return None if index is None else self.instance.get_func(self.store, index)

    def call(self, name: str, arguments: list[Any]) -> Any:
        """Call a function with Marine values; records are tuples."""
        if name not in self._functions:
            found = self.function(name)
            assert found is not None, name
            self._functions[name] = found, found.type(self.store)
        function, ty = self._functions[name]
        given = [_into(value, param) for value, (_, param) in zip(arguments, ty.params, strict=True)]
        result = function(self.store, *given)
        function.post_return(self.store)
        return None if ty.result is None else _out_of(result, ty.result)


@cache
def _engine() -> wasmtime.Engine:
    return wasmtime.Engine()


def _into(value: Any, ty: Any) -> Any:
    if isinstance(ty, component.RecordType):
        record = component.Record()
        for (name, inner), item in zip(ty.fields, value, strict=True):
            setattr(record, name, _into(item, inner))
        return record
    if isinstance(ty, component.ListType):
        if isinstance(ty.element, component.U8):
            return bytes(value)
        return [_into(item, ty.element) for item in value]
    return float(value) if isinstance(ty, (component.F32, component.F64)) else value


def _out_of(value: Any, ty: Any) -> Any:
    if isinstance(ty, component.RecordType):
        return tuple(_out_of(getattr(value, name), inner) for name, inner in ty.fields)
    if isinstance(ty, component.ListType):
        if isinstance(ty.element, component.U8):
            return bytes(value)
        return [_out_of(item, ty.element) for item in value]
    return value


def plain(value: Any) -> Any:
    """A value of Wasmtime's package as a Marine value; lists of numbers stay lists."""
    if isinstance(value, component.Record):
        return tuple(map(plain, vars(value).values()))
    return [*map(plain, value)] if isinstance(value, list) else value


def tool(name: str) -> Path:
    """A program that a package of the `dev` extra brings."""
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.is_file():
        path = Path(sys.executable).parent / name
    if not path.is_file():
        unavailable(f"`{name}` is not installed: it comes with the `dev` extra")
    return path


def lines(wit: str) -> list[str]:
    """The lines of a WIT text in any order: tools print functions and types of imported interfaces in other orders."""
    return sorted(filter(None, map(str.strip, wit.splitlines())))


def wit_of(wasm: bytes) -> str:
    """The WIT that `wasm-tools` prints of a component that it has found valid."""
    program = tool("wasm-tools")
    for arguments in (("validate",), ("component", "wit")):
        done = subprocess.run([program, *arguments], input=wasm, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()
