"""The logger of components: lines on the standard error, an import, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

from marine_gen.artifact import Source
from marine_gen.artifact import component as make
from marine_gen.component_backend import Component, ComponentOptions, Logger
from marine_gen.generate import Member, Signature, Vector
from marine_runtime import ModuleConfig, ServiceConfig
from marine_runtime.types import Prim
from tests.support.components import ComponentService, lines, wit_of
from tests.support.host_calls import calling

LOGGING = "marine:host/logging"
PAGE = 0x10000


def logging(kind: Logger, mask: int = -1, **options: Any) -> Component:
    """A component whose function `run` passes all to the logger, and whose `at` passes any address."""
    members = (Member("level", Prim.S32), Member("target", Prim.S32), Member("message", Vector(Prim.U8)))
    wasm = calling(Signature("run", members, None), name="log_utf8_string")
    raw = tuple(Member(name, Prim.S32) for name in ("level", "target", "ptr", "size"))
    wild = calling(Signature("run", raw, None), name="log_utf8_string")
    config = ServiceConfig(modules={name: ModuleConfig(logging_mask=mask) for name in ("some_module", "wild")})
    modules = {"wild": wild} if options.pop("wild", False) else {"some_module": wasm}
    source = Source("service", modules, config.to_json())
    return make(source, ComponentOptions("test:service", kind, **options))


def test_an_import_gets_the_messages() -> None:
    component = logging(Logger.IMPORT, 6)
    assert lines(wit_of(component.wasm)) == lines(component.wit)
    found: list[Any] = []
    service = ComponentService(component, {LOGGING: {"log": lambda _, *values: found.append(values)}})
    for level, target, message in (
        *(
            (3, 0, b"always"),
            (1, 2, "grüße".encode()),
            (9, 1, b"masked"),
            (2, 4, b""),
            (2, 0, b"\xff"),
            (2, 0, b"ok\xc3"),
        ),
        (4, 0, b"x" * 70_000),
    ):
        service.call("run", [level, target, message])
    assert found == [
        ("some_module", 3, 0, "always"),
        ("some_module", 1, 2, "grüße"),
        ("some_module", 2, 4, ""),
        ("some_module", 4, 0, "x" * 70_000),
    ]


def test_messages_are_lines_on_the_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    config = wasmtime.WasiConfig()
    config.inherit_stderr()
    service = ComponentService(logging(Logger.STDERR), wasi=lambda: config)
    levels = (1, 2, 3, 4, 5, 0, -1)
    for level in levels:
        service.call("run", [level, 0, f"level {level}".encode()])
    service.call("run", [3, 0, b"long " * 2000])
    titles = ("ERROR", "WARN ", "INFO ", "DEBUG", "TRACE", "TRACE", "TRACE")
    wanted = [
        f"{title} some_module: level {level}" for title, level in zip(titles, (1, 2, 3, 4, 5, 0, -1), strict=True)
    ]
    assert capfd.readouterr().err.splitlines() == [*wanted, f"INFO  some_module: {'long ' * 2000}"]


def test_nothing_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    component = logging(Logger.NONE)
    assert "import" not in component.wit
    ComponentService(component).call("run", [1, 0, b"text"])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("ptr", "size"), [(4 * PAGE, 1), (-1, 1), (-1, -1), (0, 4 * PAGE + 1)])
def test_a_message_outside_the_memory_is_a_failure(ptr: int, size: int) -> None:
    told: list[Any] = []
    component = logging(Logger.IMPORT, 2, wild=True, fault_import=True)
    host = {
        LOGGING: {"log": lambda *_: None},
        "marine:host/fault": {"report": lambda _, kind, __, numbers: told.append((kind, numbers[:2]))},
    }
    service = ComponentService(component, host)
    service.call("run", [1, 4, ptr, size])  # the target decides before the pointer is looked at
    service.call("run", [1, 0, -1, 0])  # what is empty has no address
    with pytest.raises(wasmtime.WasmtimeError):
        service.call("run", [1, 0, ptr, size])
    assert told == [("lift", [ptr & 0xFFFFFFFF, size & 0xFFFFFFFF])]
