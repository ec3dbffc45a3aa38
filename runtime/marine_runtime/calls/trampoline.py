"""Trampolines from a guest to Python: an adapter of its imports, or a function of the host.

Failures get their places here, before the call layer parks them for the outer call, and calls inside each other are
counted (`recursion`).
"""

from __future__ import annotations

from marine_runtime.calls.recursion import RecursionLimit
from marine_runtime.calls.sites import attach, locate
from marine_runtime.errors import CallError, Site
from marine_runtime.lazy.typing import Any
from marine_runtime.wasm.api import CoreFunction
from marine_runtime.wasm.traps import OUT_OF_STACK, out_of_stack


def not_linked(key: tuple[str, str]) -> CallError:
    """The error of an import that a start function calls too early."""
    return CallError(f"`{key[0]}.{key[1]}` was called before linking is complete")


class Trampoline:
    """A function as a guest calls it: what it raises gets its places before it is parked for the outer call.

    A function of the host has a `site`; what else it raises is its own affair.

    Attributes:
        run: the function; an import adapter exists before its instance does, and takes its place later.
    """

    __slots__ = ("_recursion", "_site", "run")

    def __init__(self, run: CoreFunction, recursion: RecursionLimit, site: Site | None = None) -> None:
        self.run = run
        self._recursion = recursion
        self._site = site

    @classmethod
    def late(cls, key: tuple[str, str], recursion: RecursionLimit) -> Trampoline:
        """One whose function is still to come."""

        def unbound(*_: Any) -> Any:
            raise not_linked(key)

        return cls(unbound, recursion)

    def call(self, *raw: Any) -> Any:
        """Run the function."""
        depth = self._recursion.begin()  # check: linking calls inside each other are counted
        try:
            return self.run(*raw)
        except CallError as error:
            located = attach(error, self._site) if self._site and error.site is None else locate(error)
            raise located from located.__cause__
        except OUT_OF_STACK as error:
            if self._site:
                error.of_host = True  # type: ignore[union-attr]  # for the adapters that it passes
            elif not hasattr(error, "of_host") and (trap := out_of_stack(error)):
                located = locate(trap)
                raise located from located.__cause__
            raise
        finally:
            self._recursion.depth = depth - 1  # check: linking calls inside each other end
