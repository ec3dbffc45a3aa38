"""From wasmtime's traps and errors to the runtime's exceptions.

A Python exception cannot cross Wasm frames. The import that raised parks it in its store (`Parking`) and traps; when
the outer call comes back with that trap, the parked exception is raised again, traceback included. The parking place
belongs to one store, so services on other threads never see it.
"""

from __future__ import annotations

import ctypes
import errno

from marine_runtime.errors import CallError, CallTimeoutError, ExitError, FuelLimitError, TrapError
from marine_runtime.texts.messages import counted, limit_of, wrong_pointer
from marine_runtime.wasm.native import monotonic

Fault = Exception
"""The errors of a call that did not return: `Trap` or `WasmtimeError`, of wasmtime-py or of `capi`."""

INTERRUPTED = b"wasm trap: interrupt"
"""The text of the error that ends a call whose time is up; Wasmtime's own trap has the same."""

LEFT_EARLY = 1
"""Instead of a trap's address: a signal handler raised where a call could not be ended at once."""

OUT_OF_STACK = (RecursionError, ctypes.ArgumentError)
"""The errors of Python at its recursion limit; ctypes wraps what it meets while it converts arguments."""

_OUT_OF_FUEL = "all fuel consumed by WebAssembly"


class Parking:
    """Holds the exception that is on its way through Wasm frames.

    Attributes:
        timeout: seconds that the running call may take, when it has a limit.
        deadline: the time of their end, by the monotonic clock.
        fuel: units of fuel that the running call got, when it has a limit.
        trap: one item, the address of the trap that ended the call; `LEFT_EARLY` when the guest went on after a signal
            handler had raised, 0 otherwise.
    """

    __slots__ = ("deadline", "exception", "fuel", "timeout", "trap")

    def __init__(self) -> None:
        self.trap = memoryview(bytearray(8)).cast("Q")
        self.exception: BaseException | None = None
        self.timeout: float | None = None
        self.fuel: int | None = None
        self.deadline: float | None = None

    def tick(self) -> None:
        """Raise CallTimeoutError when the time of the call is up."""
        # check: wasm deadline
        if self.deadline is not None and self.timeout is not None and monotonic() > self.deadline:
            raise timed_out(self.timeout)

    def raise_left(self) -> None:
        """Raise what a signal handler raised while the guest went on, if anything."""
        if self.trap[0] == LEFT_EARLY:
            parked, self.exception, self.trap[0] = self.exception, None, 0
            if parked is not None:
                raise parked

    def exception_for(self, fault: Fault) -> BaseException:
        """Take the parked exception, or what `fault` means when the trap was the guest's own."""
        parked, self.exception = self.exception, None
        return describe(fault, self.timeout, self.fuel) if parked is None else parked


def exit_code(fault: Fault) -> int | None:
    """The code of an `ExitTrap`, with which a guest ended itself; None for other faults."""
    code = getattr(fault, "code", None)
    return code if isinstance(code, int) else None


def text_of(error: BaseException) -> str:
    """The text of an error of Wasmtime without the backtrace of the library, which some versions append."""
    return str(error).partition("\n\nStack backtrace:\n")[0]


def first_line(error: Exception) -> str:
    """One sentence out of a wasmtime error: its own first line and its innermost cause."""
    lines = _lines(error)
    return lines[0] if len(lines) == 1 else f"{lines[0]}: {lines[-1]}"


def refusal_of(error: Exception) -> tuple[str, int] | None:
    """The first line of an error of Wasmtime with the limit behind it, and the number of the system's error.

    None when the system refused nothing.
    """
    text = first_line(error)
    found = _between(text, "(os error ", ")")
    if not found.isdecimal() or (number := int(found)) == errno.ENOENT:  # a file that is gone
        return None
    return text + limit_of(number, int(_between(text, "mmap failed to reserve 0x", " bytes") or "0", 16)), number


def cause_of(error: Exception) -> str:
    """The innermost cause alone."""
    return _lines(error)[-1]


def _of_wasi(text: str) -> str:
    """The text of a trap in a WASI function; anything else as it is."""
    problem = _between(text, "Pointer ", ": Region { ")
    start, size = _between(text, "Region { start: ", ","), _between(text, ", len: ", " }")
    return wrong_pointer(int(start), int(size), problem) if problem and start.isdecimal() and size.isdecimal() else text


def _lines(error: Exception) -> list[str]:
    """The sentences of an error of Wasmtime, without the numbers of its causes; at least one."""
    lines = [line.strip() for line in text_of(error).splitlines()]
    return [_unnumbered(line) for line in lines if line and line != "Caused by:"] or ["unknown error"]


def _unnumbered(line: str) -> str:
    number, _, rest = line.partition(": ")
    return rest if number.isdecimal() else line


def _between(text: str, before: str, after: str) -> str:
    """The part of `text` between the first `before` and the next `after`; nothing where either is missing."""
    found, end, _ = text.partition(before)[2].partition(after)
    return found if end else ""


def timed_out(timeout: float) -> CallTimeoutError:
    """The error of a call that may take `timeout` seconds and took longer."""
    return CallTimeoutError(f"interrupted, as it took longer than {timeout:g} s")


def out_of_stack(error: Exception) -> TrapError | None:
    """The error of a guest whose calls go through Python: its stack ends where Python's recursion does.

    None when `error`, one of `OUT_OF_STACK`, is about something else.
    """
    if isinstance(error, RecursionError) or "RecursionError" in str(error):
        return TrapError("wasm trap: call stack exhausted").with_traceback(error.__traceback__)
    return None


def describe(fault: Fault, timeout: float | None = None, fuel: int | None = None) -> CallError:
    """The exception for a trap of the guest, in a call that may take `timeout` seconds and `fuel` units.

    The Wasm backtrace becomes a note.
    """
    if (code := exit_code(fault)) is not None:
        return ExitError.of(code)
    text = text_of(fault)
    cause = _between(text + "\n", "wasm trap: ", "\n").strip()
    if cause == "interrupt" and timeout is not None:
        error: CallError = timed_out(timeout)
    elif cause == _OUT_OF_FUEL and fuel is not None:
        error = FuelLimitError(f"ran out of its {counted(fuel, 'unit')} of fuel", limit=fuel)
    elif cause:
        error = TrapError(f"wasm trap: {cause}")
    else:
        error = TrapError(_of_wasi(cause_of(fault)))
    if "\n" in text:
        error.add_note(text)
    return error
