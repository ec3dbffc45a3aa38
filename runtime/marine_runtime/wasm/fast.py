"""The call layer over `wasmtime_func_call_unchecked`: about 0.4 µs for a call, 0.3 µs for a callback.

Per store there is one value buffer, and per call site one function made for its signature, with the arguments of the C
function ready; no ctypes object is created while calls run. The unchecked entry point is sound only because adapters
are typed against the module's real Wasm signatures before they are bound. Traps come back through the out-parameter and
errors through the return value; both are checked after every call.
"""

from __future__ import annotations

import ctypes
import operator
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from itertools import repeat
from types import CodeType, FunctionType

from marine_runtime.lazy.typing import Any, cast
from marine_runtime.wasm import capi, covered, ffi
from marine_runtime.wasm.api import Codes, CoreFunction
from marine_runtime.wasm.capi.faults import take_error, take_trap
from marine_runtime.wasm.memory import Memory
from marine_runtime.wasm.traps import LEFT_EARLY, Parking

_WIDTH = {"i": 4, "I": 4, "f": 4, "q": 8, "Q": 8, "d": 8}
_MESSAGE = b"a Python import raised"
_MAX_CACHED_VIEWS = 64
_USUAL_VALUES = 64  # parameters or results; signatures with more have cells of their own


class FastMemory(Memory):
    """A memory reached through one cached view."""

    __slots__ = ("_context", "_handle", "_library", "_native", "_store")

    def __init__(self, library: ffi.WasmtimeLibrary, store: capi.Store, memory: Any) -> None:
        self._store = store
        self._native = memory  # keeps the handle alive
        self._library = library
        self._context = store.context
        self._handle = memory.handle
        self.refresh()

    def refresh(self) -> None:
        """Make `view` cover the memory as it is now."""
        if not self._context:  # the store is closed and the memory unmapped
            return
        size = self._library.memory_size(self._context, self._handle)
        base = self._library.memory_data(self._context, self._handle)
        self.view = ffi.view(base, size) if size else memoryview(b"")

    @property
    def address(self) -> int:
        """The address of its `wasmtime_memory_t`."""
        address: int = self._handle
        return address

    @property
    def base(self) -> int:
        """The address of its first byte, which never changes."""
        base: int = self._library.memory_data(self._context, self._handle)
        return base

    def grow(self, pages: int) -> bool:
        """Grow by `pages`; whether that was possible."""
        try:
            self._native.grow(self._store, pages)
        except capi.WasmtimeError:
            self.meter.parking.raise_left()
            return False
        return True

    def discard(self, start: int) -> None:
        """Give the pages from `start` on back to the system; the view ends there."""
        size = self._library.memory_size(self._context, self._handle)
        base = self._library.memory_data(self._context, self._handle)
        if size > start:
            ffi.discard(base + start, size - start)
            self.view = ffi.view(base, start)

    def detach(self) -> None:
        """Forget the memory: its store is about to be closed, and a view into it would dangle."""
        self._context = 0
        self.view = memoryview(b"")


class _Cells:
    """Room for the values of calls, and for the trap that ends one; the calls of a store share it.

    Wasmtime takes the arguments out before it runs the function, and puts the results in after that, so a call within a
    call does no harm.
    """

    def __init__(self, store: Any, count: int) -> None:
        self.count = count
        self._values = ctypes.create_string_buffer(ffi.VALUE_SIZE * count)
        self.address = ctypes.addressof(self._values)
        self.parking: Parking = store.parking
        parking = self.parking
        self.trap = trap = parking.trap
        self.trap_address = ctypes.addressof(ctypes.c_uint64.from_buffer(trap))
        self.context = store.native.context
        plain = memoryview(self._values).cast("B")
        self.views = {code: plain.cast(cast("Any", code)) for code in _WIDTH}

        def fail(error: int | None) -> None:
            if not error:
                parking.raise_left()
            address, trap[0] = trap[0], 0
            raise parking.exception_for(take_error(error) if error else take_trap(address))

        self.fail = fail


_AGAIN = -1
"""The address of a trap that a signal handler kept from being made."""


def _new_traps(library: ffi.WasmtimeLibrary, parking: Parking) -> Iterator[int]:
    """The addresses of new traps, for callbacks that fail.

    They take one with `for`, the only way to call that lets Python handle no signal afterwards. One that is handled
    meanwhile is nothing to lose a trap for: the next one is made, and what its handler raised takes the place. Where
    too little is left of Python's stack for a call, there is none: 0, and the guest goes on to its next question.
    """

    def make(_: None) -> int:
        try:
            address: int = library.trap_new(_MESSAGE, len(_MESSAGE))
        except (ctypes.ArgumentError, RecursionError, MemoryError) as error:  # the first one of what `ctypes` prepares
            parking.trap[0] = LEFT_EARLY
            if parking.exception is None:
                parking.exception = error
            return 0
        except BaseException as error:
            parking.exception = error
            return _AGAIN
        return address

    return filter(partial(operator.ne, _AGAIN), map(covered.covered(make), repeat(None)))


class FastLayer:
    """Calls through our own prototypes of the C API."""

    name = "fast"
    binding: Any = capi

    def __init__(self) -> None:
        self._library = ffi.WasmtimeLibrary()

    def core_function(self, store: Any, function: Any, params: Codes, results: Codes) -> CoreFunction:
        """See `CallLayer.core_function`."""
        count = max(len(params), len(results), 1)
        cells = store.cells
        if cells is None:
            cells = store.cells = _Cells(store, _USUAL_VALUES)
        if count > cells.count:
            cells = _Cells(store, count)
        # The handles are kept by the closure: the addresses below are only valid while they live.
        return _core_factory(params, results)(
            cells.views,
            cells.trap,
            store.parking,
            cells.fail,
            (function, cells),
            self._library.func_call,
            ffi.prepared_call(ffi.FUNC_CALL, cells.context, function.handle, cells.address, count, cells.trap_address),
        )

    def host_function(self, store: Any, params: Codes, results: Codes, target: CoreFunction) -> Any:
        """See `CallLayer.host_function`."""
        if store.traps is None:
            store.traps = _new_traps(self._library, store.parking)
        size = ffi.VALUE_SIZE * max(len(params), len(results))

        # Wasmtime passes the values on its own stack, whose addresses repeat for a given depth of calls: keeping the
        # views by address avoids making one per call. A view is used only while its callback runs.
        views: dict[int, Any] = {}
        codes = sorted(set(params + results))

        def view_at(address: int) -> Any:
            if len(views) >= _MAX_CACHED_VIEWS:
                views.clear()
            raw = ffi.view(address, size)
            casts = tuple(raw.cast(cast("Any", code)) for code in codes)
            views[address] = made = casts[0] if len(casts) == 1 else casts
            return made

        make = _callback_factory(params, results)
        callback = ffi.Callback(make(views.get, view_at, store.parking, store.traps, target))
        store.keep_alive(callback)
        return ffi.new_host_function(store.native, params, results, callback)

    def entering(self, parking: Parking) -> AbstractContextManager[None]:
        """See `CallLayer.entering`: callbacks are covered here."""
        return nullcontext()

    def new_memory(self, store: Any, pages: int) -> Any:
        """See `CallLayer.new_memory`."""
        return capi.Memory.new(store, pages)

    def memory(self, store: Any, memory: Any) -> Memory:
        """See `CallLayer.memory`."""
        made = FastMemory(self._library, store.native, memory)
        store.on_close(made.detach)
        return made

    def deadline_setter(self, store: Any) -> Callable[[int], None]:
        """See `CallLayer`."""
        set_deadline, context = self._library.set_epoch_deadline, store.context

        def set_ticks(ticks: int) -> None:
            set_deadline(context, ticks)

        return set_ticks

    def exports(self, store: Any, instance: Any) -> Mapping[str, Any]:
        """See `CallLayer.exports`."""
        return ExportsOnDemand(store.native, instance)

    def importable(self, exports: Mapping[str, Any], names: Sequence[str]) -> Sequence[Any]:
        """See `CallLayer.importable`."""
        assert isinstance(exports, ExportsOnDemand)
        return exports.importable(names)


class ExportsOnDemand(dict[str, Any]):
    """The exports of an instance, each made at its first use: a module may have hundreds that are never called.

    It holds those that were asked for.
    """

    __slots__ = ("_instance", "_store")

    def __init__(self, store: capi.Store, instance: capi.Instance) -> None:
        self._store = store
        self._instance = instance

    def __missing__(self, name: str) -> Any:
        found = self[name] = self._instance.export(self._store, name)
        return found

    def importable(self, names: Sequence[str]) -> Sequence[bytes]:
        """See `CallLayer.importable`."""
        return self._instance.importable(self._store, names)


def _slot(index: int, code: str) -> int:
    """Index of value `index` in the value buffer, seen as an array of `code` items."""
    return index * ffi.VALUE_SIZE // _WIDTH[code]


def _frame() -> None:
    pass


def _frame_and_call() -> None:
    _frame()


# A callback that has no room for its frame gives C any address. This is a `RecursionError` where none is left.
# Until Python 3.11, the call of C takes a part of the same stack.
_NAMES: Mapping[str, Any] = {"frame": _frame if sys.version_info >= (3, 12) else _frame_and_call}
"""The functions that generated ones call."""


def _compile(name: str, lines: list[str]) -> FunctionType:
    """The function `make` that the source in `lines` defines."""
    namespace = dict(_NAMES)
    # Not through `compile`: its first call makes the types of syntax trees, which takes longer than the rest.
    exec("\n".join(lines), namespace)  # noqa: S102  # codes only
    made: FunctionType = namespace["make"]
    filename, code = f"<marine_runtime fast layer: {name}>", made.__code__
    parts = [part.replace(co_filename=filename) if isinstance(part, CodeType) else part for part in code.co_consts]
    made.__code__ = code.replace(co_filename=filename, co_consts=tuple(parts))
    return made


@cache
def _core_factory(params: Codes, results: Codes) -> Callable[..., CoreFunction]:
    """Makes call functions for one signature: straight-line code, one store per argument, one load per result."""
    arguments = [f"a{index}" for index in range(len(params))]
    codes = sorted(set(params + results))
    loads = [f"v_{code}[{_slot(index, code)}]" for index, code in enumerate(results)]
    lines = ["def make(views, trap, parking, fail, keep, call, prepared):"]
    lines += [f"    v_{code} = views[{code!r}]" for code in codes]
    lines += [f"    def core({', '.join(arguments)}):"]
    lines += [
        f"        v_{code}[{_slot(index, code)}] = {name}"
        for index, (code, name) in enumerate(zip(params, arguments, strict=True))
    ]
    lines += ["        frame()"]
    lines += ["        try:"]
    lines += ["            if (error := call(*prepared)) or trap[0]:"]
    lines += ["                fail(error)"]
    # A signal handler may have raised before `fail` took them.
    lines += ["        except BaseException:"]
    lines += ["            trap[0], parking.exception = 0, None"]
    lines += ["            raise"]
    if loads:
        lines += [f"        return {loads[0] if len(loads) == 1 else '(' + ', '.join(loads) + ')'}"]
    lines += [f"    core.keep, core.codes = keep, {(params, results)!r}"]
    lines += ["    return core"]
    return _compile(f"call {params}->{results}", lines)


@cache
def _callback_factory(params: Codes, results: Codes) -> Callable[..., Callable[..., int]]:
    """Makes callbacks for one signature. `view` is a cast of the values, or a tuple of casts when codes differ."""
    codes = sorted(set(params + results))
    name = {code: "view" if len(codes) == 1 else f"view[{position}]" for position, code in enumerate(codes)}
    arguments = ", ".join(f"{name[code]}[{_slot(index, code)}]" for index, code in enumerate(params))
    lines = ["def make(get_view, make_view, parking, traps, target):"]
    lines += ["    def callback(env, caller, values, count):"]
    lines += ["        try:"]
    if codes:
        lines += ["            view = get_view(values) or make_view(values)"]
    lines += [f"            {'result = ' if results else ''}target({arguments})"]
    if len(results) == 1:
        lines += [f"            {name[results]}[0] = result"]
    else:
        lines += [
            f"            {name[code]}[{_slot(index, code)}] = result[{index}]" for index, code in enumerate(results)
        ]
    lines += ["        except BaseException as error:"]
    lines += ["            parking.exception = error"]
    lines += [f"            parking.trap[0] = {LEFT_EARLY}"]  # until Wasmtime puts the trap there, if one can be made
    # Left by an exception, as where Python's stack has no room for the next trap, it would return any address to C.
    lines += ["            try:"]
    lines += ["                for address in traps:"]
    lines += ["                    return address"]
    lines += ["            except BaseException:"]
    lines += ["                pass"]
    lines += ["        return 0"]
    lines += ["    return callback"]
    make = _compile(f"callback {params}->{results}", lines)
    if covered.problem() is None:
        code = make.__code__
        parts = (covered.covered_code(part) if isinstance(part, CodeType) else part for part in code.co_consts)
        make.__code__ = code.replace(co_consts=tuple(parts))
    return make
