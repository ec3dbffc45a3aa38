"""Small pieces of messages that many places need. The sentence around them is decided where it is raised.

Names that come from a Wasm file, or from a user, are data: anything from an empty string to ten kilobytes of control
characters. A message shows them through `printable` or `quoted`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from itertools import islice

MAX_SHOWN = 80
"""Characters of a name that a message shows."""

_MAX_COMPARED = 64  # comparing names costs the product of their lengths
_MAX_CHOICES = 200
_NO_ALIASES: Mapping[str, str] = {}


def shortened(text: str, length: int = MAX_SHOWN) -> str:
    """`text`, cut where it is longer than `length` characters, with an ellipsis at its end."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def printable(text: str) -> str:
    """`text` on one line and of bounded length."""
    shown = shortened(text)
    return shown if shown.isprintable() else shown.encode("unicode_escape").decode("ascii")


NEEDS_ROOM = ": too little is left of Python's recursion limit, see `sys.setrecursionlimit`"
"""The advice where types nest deeper than the caller left room on Python's stack."""


def quoted(name: str) -> str:
    """`name` between backticks, printable."""
    return f"`{printable(name)}`"


def listed(names: Iterable[str]) -> str:
    """All `names` between backticks, or `none`; they are shown as they are."""
    return ", ".join(f"`{name}`" for name in names) or "none"


def nearest(word: object, choices: Iterable[str], aliases: Mapping[str, str] = _NO_ALIASES) -> str:
    """The one of `choices` that was probably meant by `word`, or nothing; upper and lower case are the same.

    Args:
        word: the given word; only a short text has a nearest one.
        choices: the known words; only the first of very many are compared.
        aliases: choices by other words for them, in lower case.
    """
    if not isinstance(word, str) or len(word) > _MAX_COMPARED:
        return ""
    import difflib  # only failures need it

    short = (choice for choice in choices if len(choice) <= _MAX_COMPARED)
    known = {choice.lower(): choice for choice in islice(short, _MAX_CHOICES)}
    alias = aliases.get(word.lower())
    close = [alias] if alias in known else difflib.get_close_matches(word.lower(), known, n=1)
    return known[close[0]] if close else ""


def did_you_mean(word: object, choices: Iterable[str], aliases: Mapping[str, str] = _NO_ALIASES) -> str:
    """`did you mean …?` with the `nearest` choice, or nothing."""
    choice = nearest(word, choices, aliases)
    return f"did you mean {quoted(choice)}?" if choice else ""


def suggestion(word: object, choices: Iterable[str]) -> str:
    """The same as the end of a sentence: `; did you mean …?`."""
    hint = did_you_mean(word, choices)
    return f"; {hint}" if hint else ""


def counted(count: int, noun: str) -> str:
    """`count` with its noun in singular or plural: `1 byte`, `2 bytes`, `0 bytes`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def wrong_pointer(ptr: int, size: int, problem: str) -> str:
    """A pointer that a module gave to a WASI function; its problem is `out of bounds` or `not aligned to 4`."""
    return f"a WASI function was given a pointer that is {problem} ({counted(size, 'byte')} at {ptr})"


def are(count: int) -> str:
    """The verb for `count` things: `is` or `are`."""
    return "is" if count == 1 else "are"


_LIMITS = {
    "EMFILE": (("RLIMIT_NOFILE", "ulimit -n"),),
    "EAGAIN": (("RLIMIT_NPROC", "ulimit -u"),),
    "ENOMEM": (("RLIMIT_AS", "ulimit -v"), ("RLIMIT_DATA", "ulimit -d")),
    "EFBIG": (("RLIMIT_FSIZE", "ulimit -f"),),
}
"""The limits that may be behind an error, each with the command of a shell that shows it; the first is the usual one.
"""

_MAPPING = ("EAGAIN", "ENOMEM")  # a thread that gets no stack is an EAGAIN
_CHANGE = 64  # mappings that one change may add, or that went with it when it failed


def refusal(error: OSError, reserved: int = 0) -> str:
    """The text of `error`, with the limit of the process that may be the reason.

    Args:
        error: the error of the system.
        reserved: bytes of address space that were asked for without memory behind them.
    """
    text = error.strerror or str(error)
    if error.filename is not None:
        text += f": '{os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename}'"
    return text + limit_of(error.errno or 0, reserved)


def os_reason(error: Exception) -> str:
    """The same without the name of a file, which the sentence around it has; for other errors their text."""
    return (getattr(error, "strerror", None) or str(error)) + limit_of(getattr(error, "errno", None) or 0)


def unopened(directory: str) -> str:
    """`: ` and the reason why a directory can't be opened, which is tried, or nothing."""
    try:
        os.scandir(directory).close()
    except OSError as error:
        return f": {os_reason(error)}"
    return ""


def no_thread(error: RuntimeError) -> str:
    """The same for a thread that can't be started."""
    import errno

    return f"{error}{limit_of(errno.EAGAIN)}"


def refused_code(reason: str, number: int | None) -> str:
    """The sentence for a system that refuses memory for machine code, with the policy behind it, if any.

    Args:
        reason: the error of the system, as `os_reason` has it.
        number: the number of the error.
    """
    import errno

    policy = ""
    if "executable" in reason and number != errno.ENOMEM:
        policy = (
            "; a policy of the system forbids machine code that is made at run time, such as `MemoryDenyWriteExecute=` "
            "of systemd (PR_SET_MDWE) or SELinux: allow it for this process"
        )
    return f"the system refuses memory for machine code: {reason}{policy}"


def no_thread_memory() -> str:
    """The reason why a thread that was started did not run a line."""
    import errno

    return f"there is no memory for its thread{limit_of(errno.ENOMEM)}"


def limit_of(number: int, reserved: int = 0) -> str:
    """The limit behind an error number, in brackets, or nothing where no limit is known to be behind it.

    `reserved` are bytes of address space that were asked for without memory behind them.
    """
    import errno

    name = errno.errorcode.get(number, "")
    if name not in _LIMITS or sys.platform == "win32":
        return ""
    import resource  # there is none on Windows

    limits = _LIMITS[name][:1] if reserved else _LIMITS[name]  # what is reserved alone is no data
    found = [(*entry, resource.getrlimit(getattr(resource, entry[0]))[0]) for entry in limits]
    is_set = [entry for entry in found if entry[2] != resource.RLIM_INFINITY]
    if name in _MAPPING and (mappings := _most_mappings()):
        return f" (vm.max_map_count, which `sysctl vm.max_map_count` shows, is {mappings}: no mapping is left)"
    if reserved and not is_set:
        return f" (a memory takes {reserved >> 20} MiB of address space, and the process has no such range left)"
    if not is_set:
        limit, command, _ = found[0]
        return (
            f" ({limit}, which `{command}` shows, is unlimited, so a limit of the system or the container is reached)"
        )
    return f" ({'; '.join(f'{limit}, which `{command}` shows, is {value}' for limit, command, value in is_set)})"


def _most_mappings() -> int:
    """The number of mappings that Linux allows a process, when this one has as many; otherwise 0."""
    try:
        with open("/proc/sys/vm/max_map_count", encoding="ascii") as file:
            most = int(file.read())
        with open("/proc/self/maps", "rb") as file:
            count = sum(1 for _ in file)
    except (OSError, ValueError):
        return 0
    return most if count + _CHANGE > most else 0
