"""Blocks of 4 GiB and more, and a staging memory that can't grow: what no ordinary value gets to."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn
from unittest.mock import patch

import pytest
import wasmtime

from marine_gen.generate import Description, ExternModule, ImportedFunction, Vector
from marine_runtime import CallError, Service
from marine_runtime.adapters.codec import Codec
from marine_runtime.adapters.helpers import block_allocator, flat_lowerer
from marine_runtime.types import Prim
from marine_runtime.wasm import Store
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import load

AT = function("at", Prim.U32, Prim.U32, result=Vector(Prim.U64))
RESULT = "(global.set $ptr (local.get 0)) (global.set $size (local.get 1))"


class Many:
    """A list of numbers that take exactly 4 GiB, as far as anybody asks."""

    def __len__(self) -> int:
        return 2**29


def never(size: int, tag: int) -> NoReturn:
    raise AssertionError("nothing should be allocated")


@pytest.mark.parametrize(
    "lower",
    [
        lambda memory: Codec(memory, {}, never).lower_array(Prim.U64, Many()),
        lambda memory: flat_lowerer(memory, never, "Q", 8, 8)(Many()),
        lambda memory: block_allocator(memory, never)(2**32, 8),
    ],
    ids=["codec", "flat", "block"],
)
def test_a_block_of_four_gigabytes_is_refused_in_python(lower: Callable[[Any], Any]) -> None:
    with pytest.raises(CallError, match=r"^4294967296 bytes do not fit into a 32-bit memory$"):
        lower(SimpleNamespace(meter=None, view=b""))


def large() -> dict[str, bytes]:
    """Two modules; the first has 4 GiB of memory, of which nothing is touched."""
    imported = ExternModule("inner", (ImportedFunction(AT),))
    whole = Memory(pages=65536, base=2**32 - 4096)
    return {
        "inner": echo_module(Description(functions=(AT,)), whole, {"at": RESULT}),
        "outer": echo_module(Description(functions=(AT,), imports=(imported,)), Memory()),
    }


def test_a_block_of_four_gigabytes_is_refused_in_wasm() -> None:
    """It lies inside the first memory, so it gets as far as the copy."""
    with load(large(), "fused") as service:
        with pytest.raises(CallError, match=r"4294967296 bytes do not fit into a 32-bit memory$"):
            service.call("outer", "at", [0, 2**29])
        with pytest.raises(CallError, match=r"the staging memory can't grow by 4294967168 bytes$"):
            service.call("inner", "at", [0, 2**29 - 16])
        assert service.call("outer", "at", [0, 1]) == [0]


def test_wasm_that_finds_no_room_in_staging() -> None:
    def small(store: Store, pages: int) -> tuple[Any, Any]:
        native = wasmtime.Memory(store.native, wasmtime.MemoryType(wasmtime.Limits(pages, 3)))
        return native, store.look_into(native)

    def call(service: Service, count: int) -> Any:
        return len(service.call("inner", "at", [0, count]))

    with patch.object(Store, "new_memory", small), load(large(), "fused", "public") as service:
        fits = (3 * 65536 - 4096) // 8
        assert call(service, fits) == fits
        assert call(service, 1) == 1  # else the next result would be expected to be large, and not be staged
        with pytest.raises(CallError, match=f"the staging memory can't grow by {8 * (fits + 1)} bytes$"):
            call(service, fits + 1)
        assert call(service, fits) == fits
