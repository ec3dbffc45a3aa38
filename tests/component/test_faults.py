"""Failures: a trap that ends the instance, and an import that is told before."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import wasmtime

from marine_runtime import CallError
from tests.support.components import ComponentService, lines, made, wit_of
from tests.support.engines import guest, guests, load
from tests.support.programs import draw_value

FAULT = "marine:host/fault"


def test_one_trap_ends_the_instance() -> None:
    component = made({"trapping": guest("any_allocation")})
    service = ComponentService(component)
    for _ in range(2):
        service.call("answer", [2**32 - 1])
        with pytest.raises(wasmtime.WasmtimeError, match="unreachable"):
            service.call("numbers", [[1, 2]])
        with pytest.raises(wasmtime.WasmtimeError, match="cannot enter component instance"):
            service.call("answer", [0])
        service.restart()


def test_texts_that_are_none_end_the_call() -> None:
    """They are refused where they leave the component; between modules the glue looks at them."""
    service = ComponentService(made(guests("invalid_utf8")))
    with load(guests("invalid_utf8"), "fused") as runtime:
        plan = runtime.interface.modules["invalid_utf8"]
        for function, ty in plan.functions.items():
            row = [draw_value(Random(function), param.type, dict(plan.records)) for param in ty.params]
            with pytest.raises(CallError):
                runtime.call("invalid_utf8", function, row)
            with pytest.raises(wasmtime.WasmtimeError, match=r"utf-8|unreachable"):
                service.call(function, row)
            service.restart()


@pytest.mark.parametrize("name", ["any_result", "any_allocation"])
def test_an_import_is_told(name: str) -> None:
    component = made(guests(name), fault_import=True)
    assert lines(wit_of(component.wasm)) == lines(component.wit)
    told: list[Any] = []
    service = ComponentService(component, {FAULT: {"report": lambda _, *values: told.append(values)}})
    failures, random = 0, Random(name)
    with load(guests(name), "fused") as runtime:
        plan = runtime.interface.modules[name]
        for function, ty in [*plan.functions.items()] * 3:
            if service.function(function) is None:
                continue  # its records contain themselves
            row = [draw_value(random, param.type, dict(plan.records)) for param in ty.params]
            told.clear()
            try:
                runtime.call(name, function, row)
            except CallError as error:
                with pytest.raises(wasmtime.WasmtimeError):
                    service.call(function, row)
                service.restart()
                if not told:
                    continue  # the guest itself trapped
                failures += 1
                (kind, adapter, numbers), site = told[0], error.site
                assert kind in ("lift", "bounds", "allocate", "too-large", "range", "depth")
                assert site is not None
                assert str(site) == adapter
                assert len(numbers) == 3
            else:
                service.call(function, row)
    assert failures
