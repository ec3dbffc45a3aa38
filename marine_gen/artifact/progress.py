"""Progress of compiling, told to a callback."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from marine_runtime import ArgumentError


@dataclass(frozen=True, slots=True)
class CompileStep:
    """A step of compiling.

    Attributes:
        done: bytes of the Wasm of those modules that are compiled; it never falls.
        total: bytes of the Wasm of all modules, at least 1; it stays the same, and the last step has `done == total`.
        what: the step that begins or has ended, as in "compiling `greeting`". It contains names from files.
    """

    done: int
    total: int
    what: str


ProgressCallback = Callable[[CompileStep], object]
"""Gets each step, in the thread that compiles; what it raises ends the compiling."""


class _StoppedError(BaseException):
    """An exception of a callback, on its way out; nothing on the way may take it for one of compiling."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class Steps:
    """The steps of one load or build, told to a callback as they come.

    What is compiled again, because a cache can't be written for one, counts once; nothing follows the last step.
    """

    def __init__(self, progress: ProgressCallback | None = None) -> None:
        self._progress = progress
        self._sizes: Mapping[str, int] = {}
        self._finished: set[str] = set()

    def start(self, sizes: Mapping[str, int]) -> None:
        """Compiling begins, of modules of so many bytes; only the first time counts."""
        if not self._sizes:
            self._sizes = {name: max(size, 1) for name, size in sizes.items()}

    def begin(self, what: str) -> None:
        """Something begins."""
        if self._done < self._total:
            self._tell(what)

    def finish(self, module: str) -> None:
        """A module is compiled; not reported unless something was started."""
        if module not in self._finished:
            self._finished.add(module)
            if module in self._sizes:
                self._tell(f"compiled `{module}`")

    def close(self) -> None:
        """Forget the callback: what is kept of a load may hold these steps."""
        self._progress = None

    @property
    def _done(self) -> int:
        return sum(size for name, size in self._sizes.items() if name in self._finished)

    @property
    def _total(self) -> int:
        return sum(self._sizes.values())

    def _tell(self, what: str) -> None:
        if self._progress is None:
            return
        try:
            self._progress(CompileStep(self._done, self._total, what))
        except BaseException as error:
            raise _StoppedError(error) from None


@contextmanager
def reporting(progress: ProgressCallback | None) -> Iterator[Steps]:
    """Steps that `progress` is called with; its exceptions leave the block unchanged.

    Raises:
        ArgumentError: it is not a function.
    """
    check_progress(progress)
    stopped: BaseException | None = None
    steps = Steps(progress)
    try:
        yield steps
    except _StoppedError as error:
        stopped = error.error
    finally:
        steps.close()
    if stopped is not None:
        raise stopped


def check_progress(progress: Any) -> None:
    """Refuse what is not a function that can be called with a step.

    Raises:
        ArgumentError: it is not.
    """
    if progress is None:
        return
    if not callable(progress):
        given = type(progress).__name__
        raise ArgumentError(f"`progress` must be a function that takes a `marine_gen.CompileStep`, not {given}")
    from inspect import iscoroutinefunction, signature

    if iscoroutinefunction(progress):
        raise ArgumentError("`progress` must be a plain function, not an async one, which nobody would wait for")
    try:
        signature(progress).bind(None)
    except TypeError:
        raise ArgumentError("`progress` must take one argument, a `marine_gen.CompileStep`") from None
    except ValueError:  # written in C, without a signature
        pass
