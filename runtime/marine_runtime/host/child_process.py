"""One child process, started so that nothing of the host's signals and descriptors leaks into it.

The host may ignore SIGCHLD, or wait for every child that it has, and so take the exit code that we wait for. Linux
still knows it then, since 6.15; elsewhere it is unknown, which is not the same as 0.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from struct import Struct

from marine_runtime.lazy.typing import Protocol


class ChildProcess(Protocol):
    """A child process that has begun."""

    def wait(self) -> int | None:
        """Wait for its end; its exit code, the negative number of the signal that ended it, or None when unknown.

        The process id stays taken until `reap`.
        """

    def kill(self) -> None:
        """End it and its process group; not after `reap`.

        Raises:
            PermissionError: it belongs to someone else by now.
        """

    def reap(self) -> None:
        """Free what the system keeps of it, once `wait` returned."""


def pipe() -> tuple[int, int]:
    """A pipe whose ends are not the standard streams, which a host may have closed.

    Raises:
        OSError: the system has no descriptor left.
    """
    ends = list(os.pipe())
    try:
        for index, low in enumerate(ends):
            if low < _FIRST_FREE:
                ends[index] = _above_streams(low)
                os.close(low)
    except OSError:
        for end in ends:
            os.close(end)
        raise
    return ends[0], ends[1]


if sys.platform == "win32":
    _FIRST_FREE = 0

    def _above_streams(descriptor: int) -> int:
        return os.dup(descriptor)

    class _Child:
        """A process of Windows, which has neither groups nor exit codes that others can take."""

        def __init__(
            self, command: Sequence[str | bytes], env: Mapping[str, str] | None, stdout: int, stderr: int
        ) -> None:
            self._process = subprocess.Popen(  # noqa: S603 - running what the configuration names is the purpose
                command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=env
            )

        def wait(self) -> int | None:
            return self._process.wait()

        def kill(self) -> None:
            self._process.kill()

        def reap(self) -> None:
            pass

else:
    import fcntl
    import posix  # gevent patches `os`

    _FIRST_FREE = 3

    def _above_streams(descriptor: int) -> int:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)

    _DEFAULT = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}

    _PIDFD_INFO = Struct("<QQ11Ii")  # mask, group, ids, exit status
    _PIDFD_INFO_EXIT = 8
    _PIDFD_GET_INFO = 3 << 30 | _PIDFD_INFO.size << 16 | 0xFF << 8 | 11

    class _Child:
        """A process of POSIX, the leader of a session of its own."""

        def __init__(
            self, command: Sequence[str | bytes], env: Mapping[str, str] | None, stdout: int, stderr: int
        ) -> None:
            actions: list[tuple[int, int] | tuple[int, int, int] | tuple[int, int, str, int, int]] = [
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, stdout, 1),
                (os.POSIX_SPAWN_DUP2, stderr, 2),
                *((os.POSIX_SPAWN_CLOSE, item) for item in _inheritable()),
            ]
            self.pid = posix.posix_spawn(
                command[0],
                list(command),
                os.environ if env is None else env,
                file_actions=actions,
                setsid=True,
                setsigmask=(),
                setsigdef=_DEFAULT,
            )
            self._descriptor = -1
            with suppress(OSError, AttributeError):  # gone already, or not Linux
                self._descriptor = os.pidfd_open(self.pid)

        def wait(self) -> int | None:
            try:
                if not hasattr(posix, "waitid"):  # macOS, up to Python 3.12
                    return os.waitstatus_to_exitcode(posix.waitpid(self.pid, 0)[1])
                found = posix.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            except ChildProcessError:  # SIGCHLD is ignored, or somebody waited for all children
                return self._exit_code_of_reaped()
            assert found is not None
            return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

        def _exit_code_of_reaped(self) -> int | None:
            data = bytearray(_PIDFD_INFO.pack(_PIDFD_INFO_EXIT, *[0] * 13))
            try:
                fcntl.ioctl(self._descriptor, _PIDFD_GET_INFO, data)
            except (OSError, ValueError):
                return None
            mask, *_, status = _PIDFD_INFO.unpack(data)
            return os.waitstatus_to_exitcode(status) if mask & _PIDFD_INFO_EXIT else None

        def kill(self) -> None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

        def reap(self) -> None:
            if self._descriptor >= 0:
                with suppress(OSError):  # in tests of programs, `os` may know the files of a fake file system alone
                    os.close(self._descriptor)
            with suppress(ChildProcessError):
                posix.waitpid(self.pid, os.WNOHANG)


def start(command: Sequence[str | bytes], env: Mapping[str, str] | None, stdout: int, stderr: int) -> ChildProcess:
    """Start a program with nothing to read; what it writes goes to two descriptors.

    It has no other descriptor, no terminal, and every signal does in it what it does by default.

    Args:
        command: path and arguments.
        env: its environment; None for that of the host.
        stdout: descriptor for what it writes.
        stderr: descriptor for its errors.

    Raises:
        OSError: the system can't start it. ValueError: an argument has a NUL character.
    """
    return _Child(command, env, stdout, stderr)


def _inheritable() -> list[int]:
    """Descriptors that a program would inherit besides the standard streams.

    Python's own are closed by the system when a program starts; those of libraries may not be.
    """
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(FileNotFoundError):
            return [item for item in map(int, os.listdir(folder)) if item > 2 and _inherits(item)]
    return []


def _inherits(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:  # that of the listing itself
        return False
