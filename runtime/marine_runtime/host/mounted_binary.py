"""Mounted binaries: programs of the host that a module runs through an import (spec marine-runtime §4.4).

The program gets the strings of the module as its arguments, without a shell and with nothing to read; the module gets
its exit code and everything that it wrote. While it runs, the service waits. Both outputs are read at the same time, so
a program never waits for the other pipe to be emptied. A program that must be stopped goes with its process group.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import IO, NamedTuple

from marine_runtime.config.model import MountedBinary
from marine_runtime.host.function import HostFunction
from marine_runtime.messages import counted
from marine_runtime.types import Array, Field, FunctionType, Prim, Record, RecordType

KILLED = 100000
"""Ended by a signal. Also the code of a program that was stopped at its time or output limit; `error` says so."""
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

_POSIX = os.name == "posix"
_CHUNK = 1 << 16
_GRACE = 1.0  # seconds for the pipes to run dry after a kill; a process that left the group may keep them open

_log = logging.getLogger("marine_runtime")


class Outcome(NamedTuple):
    """What a module gets: the fields of `RESULT`."""

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
    """Whether `host` runs a program."""
    return host.records.get(0) is RESULT


def run(name: str, binary: MountedBinary, args: list[str]) -> Outcome:
    """Run a program to its end, or to one of its limits."""
    # With a separator in it, a path is not looked for in PATH.
    path = binary.path if os.path.dirname(binary.path) else os.path.join(os.curdir, binary.path)
    try:
        process = subprocess.Popen(  # noqa: S603 - running what the configuration names is the purpose
            [path, *(arg.encode() if _POSIX else arg for arg in args)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if binary.env is None else dict(binary.env),
            start_new_session=_POSIX,
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL character in an argument
        text = (error.strerror if isinstance(error, OSError) else None) or str(error)
        _log.error("mounted binary %s: %r can't be started with arguments %r: %s", name, path, args, text)
        return Outcome(NOT_STARTED, text, b"", b"")
    return _Run(process, binary).finish()


class _Run:
    """One running program, its two outputs and its limits."""

    def __init__(self, process: subprocess.Popen[bytes], binary: MountedBinary) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._binary = binary
        self._deadline = None if binary.timeout is None else time.monotonic() + binary.timeout
        self._change = threading.Condition()
        self._open = 2
        self._left = binary.output_limit
        self._overflow = False
        self._outputs: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._readers = [
            threading.Thread(target=self._read, args=item, daemon=True)
            for item in zip((process.stdout, process.stderr), self._outputs, strict=True)
        ]

    def finish(self) -> Outcome:
        """Wait for the end."""
        try:
            for reader in self._readers:
                reader.start()
            error = self._wait()
        except BaseException:  # such as KeyboardInterrupt: the program does not outlive the call
            self._kill()
            raise
        with self._change:
            stdout, stderr = map(bytes, self._outputs)
        if error:
            return Outcome(KILLED, error, stdout, stderr)
        code = self._process.returncode
        # Windows has unsigned exit codes of 32 bits.
        return Outcome(KILLED if code < 0 else (code + 2**31) % 2**32 - 2**31, "", stdout, stderr)

    def _wait(self) -> str:
        """Until the program has ended; why it was stopped, or nothing."""
        with self._change:
            self._change.wait_for(lambda: not self._open or self._overflow, self._remaining())
            overflow, still_open = self._overflow, self._open
        if overflow:
            self._kill()
            limit = counted(self._binary.output_limit or 0, "byte")
            return f"the output has more than {limit}; the program was stopped"
        try:
            if still_open:
                raise subprocess.TimeoutExpired(self._binary.path, 0)
            self._process.wait(self._remaining())
        except subprocess.TimeoutExpired:
            self._kill()
            return f"the program did not end in {self._binary.timeout:g} s; it was stopped"
        return ""

    def _remaining(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _kill(self) -> None:
        if self._process.returncode is not None:
            return  # its number may be another process's by now
        with suppress(ProcessLookupError, PermissionError):
            if _POSIX:
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()
        end = time.monotonic() + _GRACE
        for reader in self._readers:
            if reader.ident is not None:
                reader.join(max(0.0, end - time.monotonic()))

    def _read(self, pipe: IO[bytes], output: bytearray) -> None:
        """The thread of one pipe: keep what fits the limit, throw the rest away."""
        with pipe:
            while chunk := os.read(pipe.fileno(), _CHUNK):
                with self._change:
                    if self._left is not None:
                        self._overflow = self._overflow or len(chunk) > self._left
                        chunk = chunk[: self._left]
                        self._left -= len(chunk)
                    output += chunk
                    if self._overflow:
                        self._change.notify()
        with self._change:
            self._open -= 1
            self._change.notify()
