"""Floating-point settings of the thread that calls: guests calculate with them."""

from __future__ import annotations

import ctypes
import os
import platform

import pytest

from marine_gen.generate import Description
from marine_runtime.types import Prim
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import Configuration, load

UPWARD = {"x86_64": 0x800, "aarch64": 0x400000, "arm64": 0x400000}  # FE_UPWARD of <fenv.h>


@pytest.mark.host_side
@pytest.mark.skipif(os.name != "posix", reason="POSIX has this function")
def test_rounding_is_that_of_the_thread(configuration: Configuration) -> None:
    """The rounding mode of the program is the same after the call."""
    upward = UPWARD[platform.machine()]
    description = Description(functions=(function("f", Prim.F64),))
    module = echo_module(description, Memory(), {"f": "(f64.div (f64.const 1) (local.get 0))"})
    library = ctypes.CDLL(None if platform.system() == "Darwin" else "libm.so.6")
    with load({"m": module}, configuration.engine, configuration.call_layer) as service:
        nearest = service.call("m", "f", [3.0])
        library.fesetround(upward)
        try:
            above = service.call("m", "f", [3.0])
            after = library.fegetround()
        finally:
            library.fesetround(0)
    assert (nearest.hex(), above.hex(), after) == ("0x1.5555555555555p-2", "0x1.5555555555556p-2", upward)
