"""Functions whose `try` covers their entry.

Python runs the handlers of signals where a function is entered, before its first line, so no `try` in it sees what they
raise. Where that must not be missed, the range of the function's first `try` in its exception table is extended to the
entry. A callback of ctypes needs it most: when it is left by an exception, C gets whatever lies on the stack.

Inside such a function a handler can run after every call and every jump backwards. A clause `except` that has neither
runs to its end.
"""

from __future__ import annotations

import ctypes
import opcode
import operator
import sys
from _queue import SimpleQueue
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from types import CodeType

from marine_runtime.lazy.typing import Any, TypeVar
from marine_runtime.wasm.native import start_own_thread, thread_ident

_Function = TypeVar("_Function", bound=Callable[..., Any])

_BEFORE = frozenset({"MAKE_CELL", "COPY_FREE_VARS", "RESUME", "NOP"})
_LOOKS_BEFORE = sys.version_info < (3, 12)
"""While a tracer or a profiler is set, Python 3.11 looks for the handler of the instruction before the entry."""
_NO_LINE = b"\xf8"  # in a table of lines: one instruction without a line
_STARTS, _CONTINUES, _BITS = 128, 64, 6  # of a byte in an exception table


def covered(function: _Function) -> _Function:
    """`function`, whose body is one `try` statement, with its entry inside of it."""
    if problem() is None:
        function.__code__ = covered_code(function.__code__)
    return function


def covered_code(code: CodeType) -> CodeType:
    """`code`, that of a function whose body is one `try` statement, with its entry inside of it.

    Raises:
        ValueError: the code does not begin with a `try`.
    """
    table = list(_entries(code.co_exceptiontable))
    start, length, target, depth = table[0] if table else (0, 0, 0, 0)
    before = {opcode.opname[number] for number in code.co_code[: 2 * start : 2]}
    if not length or depth or not before <= _BEFORE or target < start + length:
        raise ValueError(f"the body of `{code.co_qualname}` is not a `try` statement")
    table[0] = 0, start + length, target, depth
    if _LOOKS_BEFORE and code.co_code[0] == opcode.opmap["RESUME"]:
        table = [(start + 1, length, target + 1, depth) for start, length, target, depth in table]
        table[0] = 0, table[0][1] + 1, *table[0][2:]
        nop = bytes((opcode.opmap["NOP"], 0))
        code = code.replace(co_code=nop + code.co_code, co_linetable=_NO_LINE + code.co_linetable)
    return code.replace(co_exceptiontable=_table(table))


@cache
def problem() -> str | None:
    """The reason why entries can't be covered on this Python, or None. It is tried, once."""
    try:
        _probe.__code__ = covered_code(_probe.__code__)
        caught = _in_a_thread(_catches) if sys.gettrace() or sys.getprofile() else _catches()
    except (AttributeError, ValueError, IndexError, StopIteration, RuntimeError, _ProbeError) as error:
        return f"the exception tables of this Python are not as expected: {error!r}"
    return None if caught else "this Python raises the exceptions of signal handlers elsewhere"


def _catches() -> bool:
    """True if the probe catches what is raised where it is entered."""
    raise_in = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.py_object)(
        ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
    )
    # Nothing of Python runs between the two calls, so the exception is raised where the second is entered.
    both: tuple[Callable[[], Any], ...] = (partial(raise_in, thread_ident(), _ProbeError), _probe)
    _, caught = map(operator.call, both)
    return bool(caught)


def _in_a_thread(question: Callable[[], bool]) -> bool:
    """The answer from a thread without the tracer or profiler of this one, which would catch what is raised."""
    answers: SimpleQueue[bool | BaseException] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(question())
        except BaseException as error:
            answers.put(error)

    start_own_thread(ask)
    answer = answers.get()
    if isinstance(answer, BaseException):
        raise answer
    return answer


class _ProbeError(BaseException):
    """Raised by the probe alone."""


def _probe() -> bool:
    try:
        count = len("")
    except _ProbeError:
        return True
    return count > 0


def _entries(table: bytes) -> Iterator[tuple[int, int, int, int]]:
    """The entries of an exception table: the start of each range, its length, its handler, and the depth of the stack.

    See `Objects/exception_handling_notes.txt` of CPython.
    """
    items = iter(table)

    def number() -> int:
        item = next(items)
        value = item & (_CONTINUES - 1)
        while item & _CONTINUES:
            item = next(items)
            value = value << _BITS | item & (_CONTINUES - 1)
        return value

    while True:
        try:
            start = number()
        except StopIteration:
            return
        yield start, number(), number(), number()


def _table(entries: Iterable[tuple[int, int, int, int]]) -> bytes:
    """The inverse of `_entries`."""
    made = bytearray()
    for entry in entries:
        at = len(made)
        for value in entry:
            shift = _BITS * (max(value.bit_length() - 1, 0) // _BITS)
            while shift:
                made.append(value >> shift & (_CONTINUES - 1) | _CONTINUES)
                shift -= _BITS
            made.append(value & (_CONTINUES - 1))
        made[at] |= _STARTS
    return bytes(made)
