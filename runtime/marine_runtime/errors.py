"""Every exception that the runtime raises on purpose, in one hierarchy.

    MarineError
    ├── LoadError            a module, artifact or directory can't be used
    │   └── LinkError        modules do not fit together, or an import is missing
    ├── ConfigError          a service configuration is wrong
    ├── ArgumentError        a Python or JSON value does not fit the signature
    ├── ResultError          a result can't be represented
    ├── StateError           closed, busy, or called from a thread that does not own it
    └── CallError            a call failed while it ran
        ├── TrapError        … because a guest trapped
        │   └── ExitError    … by `proc_exit`
        ├── CallTimeoutError … because its time was up; also a TimeoutError
        ├── FuelLimitError   … because its fuel was used up
        ├── ValueLimitError  … because a value shares its parts too often
        ├── LeftOutError     … because the adapter of the function is invalid, and was left out
        └── MemoryLimitError … after memory was refused; also a LoadError, as a load can fail like this

A `MarineWarning` is about something that works, but probably not as intended.

A `CallError` says where it happened (`site`), and its `__cause__` chain crosses every module boundary down to the
first fault.
"""

from __future__ import annotations

import sys
from types import TracebackType

from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.typing import Any


class MarineError(Exception):
    """Base class of all errors of marine-gen and its runtime."""


class MarineWarning(UserWarning):
    """A usable setting or module that is probably a mistake."""


def warn(message: str) -> None:
    """Emit a `MarineWarning` at the line of the embedder that led here."""
    import warnings

    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _PACKAGES:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, MarineWarning, stacklevel=level)


_PACKAGES = ("marine_runtime", "marine_gen")


class LoadError(MarineError):
    """A module, artifact or directory can't be loaded.

    Attributes:
        lines: the message, line by line, when it is a report of several lines.
    """

    lines: tuple[str, ...] = ()

    @classmethod
    def report(cls, text: str) -> LoadError:
        """An error whose message is a report, such as `marine-gen check` prints."""
        error = cls(text)
        error.lines = tuple(text.split("\n"))
        return error


class LinkError(LoadError):
    """Modules do not fit together, or an import has no provider."""


class ConfigError(MarineError):
    """A service configuration is wrong.

    Attributes:
        findings: the mistakes, a message each; reading a file reports all that do not follow from each other.
    """

    def __init__(self, *findings: str) -> None:
        """Take the messages; together, a line each, they are the error's text."""
        super().__init__("\n".join(findings))
        self.findings = findings


class ArgumentError(MarineError):
    """A value does not fit the type it is passed for.

    Attributes:
        path: the place in the arguments, as in `$.items[3].name`; `$` is the argument list.
    """

    def __init__(self, message: str, path: str = "$") -> None:
        super().__init__(f"{path}: {message}" if path != "$" else message)
        self.path = path


class ResultError(MarineError):
    """A result can't be represented in the requested form."""


class StateError(MarineError):
    """The service is closed, busy with another call, or owned by another thread."""


INITIALISER = "initialiser"


@dataclass(frozen=True, slots=True)
class Site:
    """The adapter instruction at which a call failed.

    Attributes:
        module: import name of the module whose adapter ran.
        function: `name` for an exported function, `namespace.name` for an imported one.
        side: `"export"` or `"import"`; `"initialiser"` for what runs while a module is loaded, without an adapter.
        index: position of the instruction in the adapter.
        instruction: its text, as the adapter printer writes it.
    """

    module: str
    function: str
    side: str
    index: int
    instruction: str

    def __str__(self) -> str:
        if self.side == INITIALISER:
            return f"module `{self.module}`, {self.side} `{self.function}`"
        return (
            f"module `{self.module}`, {self.side} adapter of `{self.function}`, "
            f"instruction #{self.index} `{self.instruction}`"
        )


class CallError(MarineError):
    """A call failed while it ran.

    Attributes:
        reason: one sentence without the place.
        site: the adapter instruction, or None when no adapter was running.
        path: the place in the value that was moved, when it is known; `$` is the value itself.
        placed_up_to: the part of the traceback that `sites.locate` has already looked at.
    """

    def __init__(self, reason: str, site: Site | None = None, path: str = "$") -> None:
        super().__init__(reason, site, path)
        self.reason = reason
        self.site = site
        self.path = path
        self.placed_up_to: TracebackType | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # A traceback can't be pickled. What is left is taken from the attributes, since a site is often set late.
        return _revived, (type(self), self.args), {**self.__dict__, "placed_up_to": None}

    def __str__(self) -> str:
        reason = self.reason if self.path == "$" else f"{self.path}: {self.reason}"
        return f"{self.site}: {reason}" if self.site else reason


class TrapError(CallError):
    """A guest trapped: `unreachable`, an out-of-bounds access, exhausted stack, a non-zero `proc_exit`, …"""


class ExitError(TrapError):
    """A guest ended its program with `proc_exit`."""

    def __init__(self, reason: str, site: Site | None = None, path: str = "$", *, code: int | None = None) -> None:
        super().__init__(reason, site, path)
        self._code = code

    @property
    def code(self) -> int:
        """The exit code; a wrapping error has the code of its cause."""
        if self._code is None and isinstance(self.__cause__, ExitError):
            return self.__cause__.code
        return self._code or 0

    @classmethod
    def of(cls, code: int) -> ExitError:
        """The error for one exit code."""
        return cls(f"the guest called `proc_exit({code})`", code=code)


class CallTimeoutError(CallError, TimeoutError):
    """A call was interrupted because its time was up."""

    def __init__(self, reason: str, site: Site | None = None, path: str = "$") -> None:
        import errno

        super().__init__(reason, site, path)
        # What a TimeoutError of the system has there; its own constructor would take the arguments for these.
        self.errno, self.strerror, self.filename = errno.ETIMEDOUT, reason, None


class FuelLimitError(CallError):
    """A call ran out of fuel.

    Attributes:
        limit: the units of fuel that it had, all of which are gone.
    """

    def __init__(self, reason: str, site: Site | None = None, path: str = "$", *, limit: int | None = None) -> None:
        super().__init__(reason, site, path)
        self._limit = limit

    @property
    def limit(self) -> int:
        """The units of fuel; a wrapping error has those of its cause."""
        if self._limit is None and isinstance(self.__cause__, FuelLimitError):
            self._limit = self.__cause__.limit
        return self._limit or 0


class ValueLimitError(CallError):
    """A lifted value would be much larger than the guest's memory that it is in."""


class LeftOutError(CallError):
    """A function was left out because its adapter is invalid; `__cause__` has all findings."""

    @classmethod
    def of(cls, what: str, reason: str, details: str) -> LeftOutError:
        """The error of calling `what`, which names the function."""
        error = cls(f"{what} can't be called, as its adapter is invalid: {reason}")
        error.__cause__ = LoadError.report(details)
        return error


class MemoryLimitError(CallError, LoadError):
    """A call, or loading, failed after a growth of memory was refused; `__cause__` is the failure.

    Attributes:
        rejects: the number of growths that were refused while it ran.
        limit: the memory limit of the service in bytes; None when there is no such limit.
    """

    rejects: int = 0
    limit: int | None = None


def _revived(kind: type[CallError], args: tuple[Any, ...]) -> CallError:
    """An unpickled error, before its attributes are set; subclasses may take other arguments."""
    return kind.__new__(kind, *args)
