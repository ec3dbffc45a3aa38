"""The import `log_utf8_string`: messages of guests in Python's `logging` (docs/spec/host.md#logger).

The logger has the module's import name. The target mask of the module's configuration decides what is kept; there is no
other filter here, levels are left to `logging`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from marine_runtime.host.function import GuestSide, HostFunction
from marine_runtime.types import Field, FunctionType, Prim, Records

NAME = "log_utf8_string"
TRACE = 5
"""The level of trace messages, and of those whose level is unknown."""

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}
_TYPE = FunctionType((Field("level", Prim.S32), Field("target", Prim.S32), Field("message", Prim.BYTE_ARRAY)))


def logger(module: str, mask: int) -> HostFunction:
    """`log_utf8_string(level, target, message)` for one module, with its target mask."""
    log = logging.getLogger(module)

    def keep(level: int, message: bytes) -> None:
        try:
            text = message.decode()
        except UnicodeDecodeError:
            log.warning("a log message of this module is not UTF-8 and is lost")
            return
        log.log(_LEVELS.get(level, TRACE), "%s", text)

    def log_utf8_string(level: int, target: int, message: bytes) -> None:
        if not target or target & mask:
            keep(level, message)

    def raw(guest: Callable[[Records], GuestSide]) -> Callable[..., None]:
        side: GuestSide | None = None

        def run(level: int, target: int, ptr: int, size: int) -> None:
            nonlocal side
            # A message that is dropped is not read: its target decides before its pointer is looked at.
            if target and not target & mask:
                return
            if side is None:
                side = guest({})
            keep(level, side.codec.lift_bytes(ptr, size, "$.message"))

        return run

    return HostFunction(log_utf8_string, _TYPE, raw=raw)
