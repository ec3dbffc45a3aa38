"""The interface of a Wasm runtime that the rest of the package uses (compare Marine's `wasm-backend-traits`).

A core value crosses this interface as a Python number whose interpretation is chosen per call site by a *code*, a
`struct` format character: `i`/`I` is an i32 read as signed/unsigned, `q`/`Q` the same for i64, `f` and `d` are floats.
Choosing signedness here means that pointers and lengths arrive unsigned and nobody has to mask them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from marine_runtime.errors import CallError
from marine_runtime.types import CoreSignature, IType, Prim
from marine_runtime.wording import are, counted

if TYPE_CHECKING:
    from marine_runtime.wasm.meter import Meter

Codes = str
"""One `struct` format character per core value, out of `iIqQfd`."""

CODE_TYPES = {"i": "i32", "I": "i32", "q": "i64", "Q": "i64", "f": "f32", "d": "f64"}


_SIGNED: dict[IType, str] = {Prim.I32: "i", Prim.I64: "q", Prim.F32: "f", Prim.F64: "d"}


def signed_codes(types: Iterable[IType]) -> Codes:
    """The codes that read core values as signed numbers; every type must be I32, I64, F32 or F64."""
    return "".join(_SIGNED[ty] for ty in types)


def signature_of(params: Codes, results: Codes) -> CoreSignature:
    """The Wasm signature that a pair of code strings stands for."""
    return CoreSignature(tuple(CODE_TYPES[code] for code in params), tuple(CODE_TYPES[code] for code in results))


class Memory:
    """The linear memory of one instance.

    `view` covers at least the bytes known to exist. Wasm memory never shrinks, so whatever the view admits is valid,
    and only an access beyond it has to ask for the current size (`claim`). The layers keep `memory_may_move` off, so
    the base stays put while the store lives.

    Attributes:
        meter: counts what is lifted from it.
    """

    __slots__ = ("meter", "view")

    view: memoryview
    meter: Meter

    def refresh(self) -> None:
        """Make `view` cover the memory as it is now."""
        raise NotImplementedError

    def claim(self, ptr: int, size: int) -> memoryview:
        """The `size` bytes at `ptr`, both unsigned, after asking for the current memory size.

        A range that ends exactly at the end of memory is valid.

        Raises:
            CallError: the range is not inside the memory.
        """
        self.refresh()
        view = self.view
        if ptr + size > len(view):
            raise out_of_bounds(ptr, size, len(view))
        return view[ptr : ptr + size]

    def require(self, ptr: int, size: int) -> None:
        """Raise, as `claim` does, when the `size` bytes at `ptr` are not inside the memory."""
        if ptr + size > len(self.view):
            self.claim(ptr, size)

    def grow(self, pages: int) -> bool:
        """Grow by `pages` of 64 KiB; whether that was possible."""
        raise NotImplementedError

    def discard(self, start: int) -> None:
        """Give the pages from `start` on back to the system, where it can take them; what they held is lost.

        Where views are kept, the view ends there afterwards.
        """

    def read(self, ptr: int, size: int) -> bytes:
        """A copy of `size` bytes at `ptr`; raises like `claim`."""
        data = bytes(self.view[ptr : ptr + size])
        return data if len(data) == size else bytes(self.claim(ptr, size))

    def write(self, ptr: int, data: bytes) -> None:
        """Copy `data` to `ptr`; raises like `claim`."""
        size = len(data)
        target = self.view[ptr : ptr + size]
        if len(target) != size:
            target = self.claim(ptr, size)
        target[:] = data


def out_of_bounds(ptr: int, size: int, memory_size: int) -> CallError:
    """The error for an access outside the memory; sizes in bytes."""
    memory = f"the memory of {counted(memory_size, 'byte')}"
    return CallError(f"{counted(size, 'byte')} at address {ptr} {are(size)} outside {memory}")


CoreFunction = Callable[..., Any]
"""Takes one number per parameter; gives None, a number, or a tuple of numbers.

Raises TrapError when the guest traps, or whatever a Python import raised underneath.
"""


class CallLayer(Protocol):
    """One way of crossing between Python and Wasm. Objects are wasmtime's, so layers can share a `wasmtime.Engine`."""

    name: str

    def core_function(self, store: Any, function: Any, params: Codes, results: Codes) -> CoreFunction:
        """`function` as a Python callable.

        The caller must have compared the codes with the function's real Wasm signature: the fast layer does not check.
        """
        ...

    def host_function(self, store: Any, params: Codes, results: Codes, target: CoreFunction) -> Any:
        """A Wasm function that calls `target`; what `target` raises is kept in the store and traps the guest."""
        ...

    def memory(self, store: Any, memory: Any) -> Memory:
        """An exported memory."""
        ...
