"""Mounted binaries: programs of the host that a module runs through an import (docs/spec/host.md#mounted-binaries).

The program gets the strings of the module as its arguments, without a shell and with nothing to read; the module gets
its exit code and everything that it wrote. While it runs, the service waits. Both outputs are read at the same time, so
a program never waits for the other pipe to be emptied. A program that must be stopped goes with its process group.
Whatever the host does with signals, descriptors, threads and children, the result is right or an error.
"""

from __future__ import annotations

import logging
import os
from typing import NamedTuple, assert_never

from marine_runtime.config.model import MountedBinary
from marine_runtime.host.function import HostFunction
from marine_runtime.host.program import Captured, Ended, Event, Program, Reaped, Refused, Unreadable
from marine_runtime.texts.messages import counted
from marine_runtime.types import Array, Field, FunctionType, Prim, Record, RecordType
from marine_runtime.wasm.native import monotonic

KILLED = 100000
"""Ended by a signal. Also the code of a program that was stopped, and of one whose end is unknown; `error` says so."""
NOT_STARTED = 100001
"""Could not be started; `error` has the system's text."""
# The reference has 100002 to 100004 for arguments that are not one array of strings. Here such an import does not link,
# because the Wasm signature is compared, and what is lifted is an array of strings.

RESULT = RecordType(
    "MountedBinaryResult",
    (
        Field("ret_code", Prim.S32),
        Field("error", Prim.STRING),
        Field("stdout", Prim.BYTE_ARRAY),
        Field("stderr", Prim.BYTE_ARRAY),
    ),
)

_GRACE = 1.0  # seconds for the pipes to run dry after a kill; a process that left the group may keep them open
_UNKNOWN = (
    "the exit code of the program is unknown: this process ignores SIGCHLD, or waits for all of its children; "
    "wait only for the children that it started"
)

_log = logging.getLogger("marine_runtime")


class Outcome(NamedTuple):
    """The outcome that a module gets: the fields of `RESULT`."""

    ret_code: int
    error: str
    stdout: bytes
    stderr: bytes


def host_function(name: str, binary: MountedBinary | str) -> HostFunction:
    """The import `name` that runs `binary`."""
    chosen = binary if isinstance(binary, MountedBinary) else MountedBinary(binary)
    signature = FunctionType((Field("args", Array(Prim.STRING)),), (Record(0),))
    return HostFunction(lambda args: run(name, chosen, args), signature, {0: RESULT})


def is_mounted(host: HostFunction) -> bool:
    """True if `host` runs a program."""
    return host.records.get(0) is RESULT


def run(name: str, binary: MountedBinary, args: list[str]) -> Outcome:
    """Run a program to its end, or to one of its limits."""
    # With a separator in it, a path is not looked for in PATH.
    path = binary.path if os.path.dirname(binary.path) else os.path.join(os.curdir, binary.path)
    command = [path, *(arg.encode() if os.name == "posix" else arg for arg in args)]
    outcome = _Run(Program(command, binary.env, binary.output_limit), binary).finish()
    if outcome.ret_code == NOT_STARTED:
        _log.error("mounted binary %s: %r can't be started with arguments %r: %s", name, path, args, outcome.error)
    return outcome


class _Run:
    """The state of one running program."""

    def __init__(self, program: Program, binary: MountedBinary) -> None:
        self._program = program
        self._binary = binary
        self._outputs = (bytearray(), bytearray())
        self._open = {0, 1}
        self._ended: Ended | None = None
        self._fault = ""

    def finish(self) -> Outcome:
        """Run it to its end; whatever is raised meanwhile, as by a signal handler, it does not outlive the call."""
        try:
            self._program.start()
            return self._finish()
        finally:
            self._program.leave(ended=self._ended is not None)

    def __del__(self) -> None:
        # A second exception of a signal handler may have kept `leave` from being called.
        self._program.abandon()

    def _finish(self) -> Outcome:
        timeout = self._binary.timeout
        deadline = None if timeout is None else monotonic() + timeout
        while self._open or self._ended is None:
            event = self._program.next(deadline)
            if isinstance(event, Refused):
                return Outcome(NOT_STARTED, event.reason, b"", b"")
            if event is None:
                return self._stop(f"the program did not end in {timeout:g} s", "it")
            self._note(event)
            if self._fault:
                return self._stop(self._fault, "the program")
        return self._outcome()

    def _note(self, event: Event) -> None:
        match event:
            case Captured(number, b""):
                self._open.discard(number)
            case Captured(number, data):
                limit = self._binary.output_limit
                left = len(data) if limit is None else limit - sum(map(len, self._outputs))
                self._outputs[number].extend(data[:left])
                if len(data) > left:
                    self._fault = f"the output has more than {counted(limit or 0, 'byte')}"
            case Unreadable(reason):
                self._fault = f"the output of the program can't be read: {reason}"
            case Ended():
                self._ended = event
            case Refused() | Reaped():
                pass
            case _:
                assert_never(event)

    def _stop(self, why: str, it: str) -> Outcome:
        """End the program, and keep what it wrote before."""
        problem = self._program.kill()
        deadline = monotonic() + _GRACE
        while (self._open or self._ended is None) and (event := self._program.next(deadline)):
            self._note(event)
        how = f"can't be stopped: {problem}" if problem else "was stopped"
        return Outcome(KILLED, f"{why}; {it} {how}", *map(bytes, self._outputs))

    def _outcome(self) -> Outcome:
        assert self._ended is not None
        code, stdout, stderr = self._ended.code, *map(bytes, self._outputs)
        if code is None:
            return Outcome(KILLED, _UNKNOWN, stdout, stderr)
        # Windows has unsigned exit codes of 32 bits.
        return Outcome(KILLED if code < 0 else (code + 2**31) % 2**32 - 2**31, "", stdout, stderr)
