"""The call layer over wasmtime-py's public API.

It is the fallback for bindings whose private surface is not as expected, and the baseline of the speed comparison. It
does no more than the public API asks for, so it costs what a user of wasmtime-py pays.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import wasmtime

from marine_runtime.lazy.typing import Any, cast
from marine_runtime.wasm.api import CODE_TYPES, Codes, CoreFunction
from marine_runtime.wasm.memory import Memory
from marine_runtime.wasm.traps import Fault, Parking
from marine_runtime.wasm.unraisable import KeptReports, cover_binding

_SPANS = {"I": 2**32, "Q": 2**64}


def _signed(code: str, value: Any) -> Any:
    """The binding wants signed integers."""
    span = _SPANS.get(code)
    return value - span if span and value >= span // 2 else value


def _as_code(code: str, value: Any) -> Any:
    span = _SPANS.get(code)
    return value + span if span and value < 0 else value


class PublicMemory(Memory):
    """Reads and writes through `wasmtime.Memory`; the view is made on every use."""

    __slots__ = ("_memory", "_store")

    def __init__(self, store: wasmtime.Store, memory: wasmtime.Memory) -> None:
        self._store = store
        self._memory = memory

    @property
    def view(self) -> memoryview:  # type: ignore[override]  # a property here, a slot in the fast layer
        """The memory as it is now."""
        return memoryview(self._memory.get_buffer_ptr(self._store)).cast("B")

    def refresh(self) -> None:
        """Nothing to do: every view is new."""

    def grow(self, pages: int) -> bool:
        """Grow by `pages`; whether that was possible."""
        try:
            self._memory.grow(self._store, pages)
        except wasmtime.WasmtimeError:
            self.meter.parking.raise_left()
            return False
        return True

    def read(self, ptr: int, size: int) -> bytes:
        """A copy of `size` bytes at `ptr`; raises like `claim`."""
        data = bytes(self._memory.read(self._store, ptr, ptr + size))
        return data if len(data) == size else bytes(self.claim(ptr, size))  # check: wasm length of public reads

    def write(self, ptr: int, data: bytes) -> None:
        """Copy `data` to `ptr`; raises like `claim`."""
        try:
            self._memory.write(self._store, data, ptr)
        except IndexError:
            self.claim(ptr, len(data))[:] = data  # check: wasm room for what public calls write


class _Held:
    """A Python import.

    The binding keeps callbacks in a global table until their store is gone, and imports lead to their store: a callback
    that held its import itself would keep both for ever.
    """

    __slots__ = ("__weakref__", "target")

    def __init__(self, target: CoreFunction) -> None:
        self.target = target


class PublicLayer:
    """Calls through `wasmtime.Func`."""

    name = "public"
    binding: Any = wasmtime

    def __init__(self) -> None:
        cover_binding()

    def core_function(self, store: Any, function: wasmtime.Func, params: Codes, results: Codes) -> CoreFunction:
        """See `CallLayer.core_function`."""
        native: wasmtime.Store = store.native
        parking: Parking = store.parking

        def core(*args: Any) -> Any:
            fault: Fault | None = None
            try:
                try:
                    with KeptReports(parking):
                        result = function(native, *map(_signed, params, args))
                except (wasmtime.Trap, wasmtime.WasmtimeError) as caught:
                    fault = caught
                parking.raise_left()
                if fault is not None:  # raised out here, so that what was parked keeps its own context
                    raise parking.exception_for(fault)
            except BaseException:  # of a signal handler, perhaps before what was parked is taken
                parking.trap[0], parking.exception = 0, None
                raise
            if len(results) < 2:
                return _as_code(results, result) if results else None
            return tuple(map(_as_code, results, result))

        return core

    def host_function(self, store: Any, params: Codes, results: Codes, target: CoreFunction) -> wasmtime.Func:
        """See `CallLayer.host_function`."""
        parking: Parking = store.parking
        held = _Held(target)
        store.keep_alive(held)
        reference = weakref.ref(held)

        def callback(*args: Any) -> Any:
            target = cast("_Held", reference()).target
            try:
                result = target(*map(_as_code, params, args))
            except BaseException as error:
                parking.exception = error
                raise wasmtime.WasmtimeError("a Python import raised") from None
            if len(results) < 2:
                return _signed(results, result) if results else None
            return list(map(_signed, results, result))

        kind = wasmtime.FuncType(_value_types(params), _value_types(results))
        return wasmtime.Func(store.native, kind, callback)

    def new_memory(self, store: Any, pages: int) -> Any:
        """See `CallLayer.new_memory`."""
        return wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(pages, None)))

    def entering(self, parking: Parking) -> AbstractContextManager[None]:
        """See `CallLayer.entering`."""
        return KeptReports(parking)

    def memory(self, store: Any, memory: wasmtime.Memory) -> Memory:
        """See `CallLayer.memory`."""
        return PublicMemory(store.native, memory)

    def deadline_setter(self, store: wasmtime.Store) -> Callable[[int], None]:
        """See `CallLayer`."""
        return store.set_epoch_deadline

    def exports(self, store: Any, instance: wasmtime.Instance) -> Mapping[str, Any]:
        """See `CallLayer.exports`."""
        return instance.exports(store.native)

    def importable(self, exports: Mapping[str, Any], names: Sequence[str]) -> Sequence[Any]:
        """See `CallLayer.importable`."""
        return [exports[name] for name in names]


def _value_types(codes: Codes) -> list[wasmtime.ValType]:
    return [getattr(wasmtime.ValType, CODE_TYPES[code])() for code in codes]
