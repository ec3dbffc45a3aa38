"""The logger of guests, `log_utf8_string`: lines on the standard error, calls of an import, or nothing.

As in the runtime, the target mask of a module decides before its message is looked at, and a message that is not UTF-8
is lost.
"""

from __future__ import annotations

from marine_gen.codegen.literals import wat_string
from marine_gen.codegen.templating import render
from marine_gen.component_backend.binary import Core, CoreItem
from marine_gen.component_backend.frame import ComponentFrame
from marine_gen.component_backend.interface import WitInterface, interface_of
from marine_gen.component_backend.model import Logger
from marine_gen.component_backend.wasi import WasiImports
from marine_gen.wasm_backend import bytes_of, library_text, outside
from marine_runtime.adapters import Fault
from marine_runtime.types import CoreSignature, Field, FunctionType, Prim

SIGNATURE = CoreSignature(("i32",) * 4)

_LOG = FunctionType(
    (
        Field("module", Prim.STRING),
        Field("level", Prim.S32),
        Field("target", Prim.S32),
        Field("message", Prim.STRING),
    )
)

INTERFACE: WitInterface = interface_of("marine:host/logging", {"log": _LOG}, {})[0]
"""The import that gets the messages, where there is one. Levels: 1 error, 2 warning, 3 info, 4 debug, 5 trace."""

_NONE = '(module $logger (func (export "log") (param i32 i32 i32 i32)))'
_LEVEL = 6


class Loggers:
    """The loggers of a component."""

    def __init__(self, frame: ComponentFrame, wasi: WasiImports, kind: Logger) -> None:
        """Import what the kind of logger needs."""
        self._frame = frame
        self._kind = kind
        self._sink: dict[str, CoreItem] = {}
        if kind is Logger.IMPORT:
            self._sink = {"log": frame.lowered(INTERFACE)["log"]}
        elif kind is Logger.STDERR:
            self._sink = {**wasi.output("stderr")}

    def of(self, module: str, mask: int, memory: CoreItem | None) -> CoreItem:
        """The logger of a guest, which has the memory."""
        frame = self._frame
        if self._kind is Logger.NONE or memory is None:
            return frame.core_export(frame.instance_of(_NONE, {}), Core.FUNC, "log")
        stderr = self._kind is Logger.STDERR
        name = f"{module}: ".encode() if stderr else module.encode()
        head = len(name) + (_LEVEL if stderr else 0)
        context = {
            "sink": self._kind.value,
            "module": wat_string(name),
            "name": len(name),
            "head": head,
            "mask": mask,
            "lift": int(Fault.LIFT),
            "outside": outside("(local.get $ptr)", "(i64.extend_i32_u (local.get $size))", bytes_of("$guest")),
            "definition": library_text("utf8", "guest"),
        }
        text = render("marine_gen.component_backend", "logger.wat.j2", context)
        shared = {**frame.shared, "mark": frame.staging("mark"), "release": frame.staging("release")}
        instance = frame.instance_of(text, {"0": shared, "1": {"memory": memory}, "2": self._sink})
        return frame.core_export(instance, Core.FUNC, "log")
