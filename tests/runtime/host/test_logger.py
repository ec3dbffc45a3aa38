"""Messages of guests in Python's `logging`, and what the configuration of a module does to them."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from marine_gen.generate import Description, Member, Signature
from marine_runtime import S32, CallError, LinkError, ModuleConfig, Service, ServiceConfig
from marine_runtime.abi.host_api import HOST_NAMESPACES
from marine_runtime.types import Prim
from tests.support.echo import Memory, echo_module
from tests.support.engines import guests

pytestmark = pytest.mark.host_side

Serve = Callable[..., Service]


def configured(settings: ModuleConfig) -> ServiceConfig:
    return ServiceConfig(modules={"logger": settings})


@pytest.mark.parametrize(
    ("mask", "kept"),
    [
        (0, [0]),
        (1, [0, 1, 3, -1]),
        (6, [0, 2, 3, -1]),
        (2147483647, [0, 1, 2, 3, -1]),
        (-1, [0, 1, 2, 3, -1, -(2**31)]),
    ],
)
def test_targets_are_kept_by_the_mask(
    serve: Serve, caplog: pytest.LogCaptureFixture, mask: int, kept: list[int]
) -> None:
    service = serve(guests("logger"), config=configured(ModuleConfig(logging_mask=mask)))
    with caplog.at_level(5, "logger"):
        for target in (0, 1, 2, 3, -1, -(2**31)):
            service.call("logger", "log_line", [3, target % 2**32, str(target)])
    assert caplog.record_tuples == [("logger", logging.INFO, str(target)) for target in kept]


@pytest.mark.parametrize("level", [0, 5, 6, 2**32 - 1])
def test_other_levels_are_trace(serve: Serve, caplog: pytest.LogCaptureFixture, level: int) -> None:
    service = serve(guests("logger"))
    with caplog.at_level(5, "logger"):
        service.call("logger", "log_line", [level, 0, "text"])
    assert caplog.record_tuples == [("logger", 5, "text")]


@pytest.mark.parametrize("namespace", HOST_NAMESPACES)
def test_every_host_namespace_has_it(serve: Serve, caplog: pytest.LogCaptureFixture, namespace: str) -> None:
    """The logger has the module's import name, whatever the module is called elsewhere."""
    module = echo_module(
        Description(functions=(Signature("f", (Member("text", Prim.STRING),)),)),
        Memory(),
        {"f": "(call $host (i32.const 2) (i32.const 0) (local.get 0) (local.get 1))"},
        head=f'(import "{namespace}" "log_utf8_string" (func $host (param i32 i32 i32 i32)))',
    )
    service = serve({"the name": module})
    with caplog.at_level(5, "the name"):
        service.call("the name", "f", ["Grüße"])
    assert caplog.record_tuples == [("the name", logging.WARNING, "Grüße")]


def test_a_message_that_is_dropped_is_not_read(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    module = echo_module(
        Description(functions=(Signature("f", (Member("target", Prim.S32),)),)),
        Memory(),
        {"f": "(call $host (i32.const 3) (local.get 0) (i32.const -1) (i32.const 9))"},
        head='(import "host" "log_utf8_string" (func $host (param i32 i32 i32 i32)))',
    )
    service = serve({"logger": module}, config=configured(ModuleConfig(logging_mask=1)))
    service.call("logger", "f", [2])
    with pytest.raises(CallError, match=r"\$\.message: 9 bytes at address 4294967295 are outside the memory"):
        service.call("logger", "f", [1])
    assert caplog.record_tuples == []


def test_messages_outside_the_memory(serve: Serve) -> None:
    service = serve(guests("logger"))
    with pytest.raises(CallError, match=r"\$\.message: 64 bytes at address 4294967280 are outside the memory"):
        service.call("logger", "log_outside")
    service.call("logger", "log_info")


def test_a_module_without_logger(serve: Serve) -> None:
    with pytest.raises(LinkError) as caught:
        serve(guests("logger"), config=configured(ModuleConfig(logger_enabled=False)))
    assert str(caught.value).endswith(
        ".log_utf8_string`, but its configuration switches the logger off: set `logger_enabled = true`"
    )


def test_own_function_takes_precedence(serve: Serve) -> None:
    lines = []

    def log_utf8_string(level: S32, target: S32, message: bytes) -> None:
        lines.append((level, target, message))

    service = serve(
        guests("logger"),
        config=configured(ModuleConfig(logger_enabled=False)),
        host_functions={"log_utf8_string": log_utf8_string},
    )
    service.call("logger", "log_garbage")
    assert lines == [(3, 0, b"ab\xff")]


def test_directives_that_are_ignored_are_told(
    serve: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WASM_LOG", "logger=loud,info")
    serve(guests("logger"))
    assert [record.getMessage() for record in caplog.records if record.name == "marine_runtime"] == [
        "ignored in the environment variable WASM_LOG: "
        "'logger=loud': 'loud' is not a level (error, warn, info, debug, trace, off)"
    ]
