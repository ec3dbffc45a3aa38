"""Options as keyword arguments: one declaration of each, and functions that refuse what is none."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import marine_gen
import marine_runtime
from marine_gen.artifact import open_workbench
from marine_runtime import CallOptions, LoadOptions, RunOptions, Service
from marine_runtime.pool import AsyncServicePool, ServicePool
from marine_runtime.pool.options import PoolOptions
from marine_runtime.wasm import open_runtime
from tests.support.engines import guests

CALLS = [Service.call, Service.call_batch, Service.call_json]
CALLS_OF_POOLS = [ServicePool.call, ServicePool.submit, ServicePool.map, AsyncServicePool.call, AsyncServicePool.map]


@pytest.mark.parametrize(
    ("function", "options"),
    [
        *((function, CallOptions) for function in (*CALLS, *CALLS_OF_POOLS)),
        *((function, LoadOptions) for function in (marine_gen.load, marine_runtime.load)),
        *((function, PoolOptions) for function in (ServicePool, AsyncServicePool)),
        (open_workbench, RunOptions),
    ],
)
def test_help_shows_every_option(function: Callable[..., Any], options: Any) -> None:
    shown = inspect.signature(function).parameters
    assert set(options.__annotations__) <= set(shown)
    assert inspect.Parameter.VAR_KEYWORD not in {item.kind for item in shown.values()}


@pytest.mark.parametrize("options", [CallOptions, RunOptions, LoadOptions, PoolOptions])
def test_every_option_is_documented(options: Any) -> None:
    documented = "\n".join(inspect.getdoc(item) or "" for item in (RunOptions, options))
    assert [name for name in options.__annotations__ if f"\n    {name}: " not in documented] == []


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: marine_gen.load("x.wasm", timout=1), "load"),  # type: ignore[call-arg]
        (lambda: marine_runtime.load("x", timout=1), "load"),  # type: ignore[call-arg]
        (lambda: Service([], open_runtime(), timout=1), "Service"),  # type: ignore[call-arg]
        (lambda: ServicePool("x", timout=1), "ServicePool"),  # type: ignore[call-arg]
        (lambda: AsyncServicePool("x", timout=1), "AsyncServicePool"),  # type: ignore[call-arg]
        (lambda: open_workbench(timout=1), "open_workbench"),  # type: ignore[call-arg]
    ],
)
def test_unknown_keywords_of_loading(call: Callable[[], Any], name: str) -> None:
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == f"{name}() got an unexpected keyword argument 'timout'; did you mean `timeout`?"


def test_unknown_keywords_of_calls() -> None:
    with marine_gen.load(guests("greeting")) as service:
        for name, arguments in (("call", ["John"]), ("call_batch", [["John"]]), ("call_json", '["John"]')):
            with pytest.raises(TypeError, match=rf"^Service\.{name}\(\) got an unexpected keyword argument 'feul'"):
                getattr(service, name)("greeting", "greeting", arguments, feul=7)


def test_none_is_no_option() -> None:
    with marine_gen.load(guests("greeting")) as service:
        nothing = CallOptions(timeout=None, fuel=None, call_parameters=None)
        assert service.call("greeting", "greeting", ["John"], **nothing) == "Hi, John"
