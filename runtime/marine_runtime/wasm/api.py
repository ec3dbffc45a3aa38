"""The interface of a Wasm runtime that the rest of the package uses (compare Marine's `wasm-backend-traits`).

A core value crosses this interface as a Python number whose interpretation is chosen per call site by a *code*, a
`struct` format character: `i`/`I` is an i32 read as signed/unsigned, `q`/`Q` the same for i64, `f` and `d` are floats.
Choosing signedness here means that pointers and lengths arrive unsigned and need no mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache

from marine_runtime.abi.measures import CORE_CODES
from marine_runtime.lazy.typing import Any, Protocol
from marine_runtime.types import CoreSignature, IType, Prim
from marine_runtime.wasm.memory import Memory
from marine_runtime.wasm.traps import Parking

Codes = str
"""One `struct` format character per core value, out of `iIqQfd`."""

CODE_TYPES = {code: str(core) for core, codes in CORE_CODES.items() for code in codes}


def signed_codes(types: Iterable[IType]) -> Codes:
    """The codes that read core values as signed numbers; every type must be I32, I64, F32 or F64."""
    return "".join(CORE_CODES[ty][0] for ty in types if isinstance(ty, Prim))


@cache
def signature_of(params: Codes, results: Codes) -> CoreSignature:
    """The Wasm signature that a pair of code strings represents."""
    return CoreSignature(tuple(CODE_TYPES[code] for code in params), tuple(CODE_TYPES[code] for code in results))


def codes_of(signature: CoreSignature) -> tuple[Codes, Codes]:
    """Codes for a Wasm signature, all integers signed; the inverse of `signature_of`."""
    codes = {str(core): pair[0] for core, pair in CORE_CODES.items()}
    return "".join(codes[name] for name in signature.params), "".join(codes[name] for name in signature.results)


CoreFunction = Callable[..., Any]
"""Takes one number per parameter; gives None, a number, or a tuple of numbers.

Raises TrapError when the guest traps, or whatever a Python import raised underneath.
"""


class CallLayer(Protocol):
    """One implementation of calls between Python and Wasm.

    Attributes:
        name: its name for users.
        binding: a module with the objects of Wasmtime: `wasmtime`, or `capi`, which has the same names.
    """

    name: str
    binding: Any

    def core_function(self, store: Any, function: Any, params: Codes, results: Codes) -> CoreFunction:
        """`function` as a Python callable.

        The caller must have compared the codes with the function's real Wasm signature: the fast layer does not check.
        """
        ...

    def host_function(self, store: Any, params: Codes, results: Codes, target: CoreFunction) -> Any:
        """A Wasm function that calls `target`; what `target` raises is kept in the store and traps the guest."""
        ...

    def new_memory(self, store: Any, pages: int) -> Any:
        """A memory with `pages` of 64 KiB, in a store of the binding."""

    def entering(self, parking: Parking) -> AbstractContextManager[None]:
        """A context for code that runs Wasm other than by `core_function`; it keeps exceptions of signal handlers."""
        ...

    def memory(self, store: Any, memory: Any) -> Memory:
        """An exported memory."""
        ...

    def deadline_setter(self, store: Any) -> Callable[[int], None]:
        """A function that lets Wasm of a store, which is open, run for so many epochs from now on."""
        ...

    def exports(self, store: Any, instance: Any) -> Mapping[str, Any]:
        """The exports of an instance, by name."""
        ...

    def importable(self, exports: Mapping[str, Any], names: Sequence[str]) -> Sequence[Any]:
        """Many of the `exports` of an instance, as something to import into another one.

        Raises:
            KeyError: it has no export of one of the names.
        """
        ...
