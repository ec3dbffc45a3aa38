"""Trampolines from a guest to Python: an adapter of its imports, or a function of the host.

Failures get their places here, before the call layer parks them for the outer call, and calls inside each other are
counted (`recursion`).
"""

from __future__ import annotations

from typing import Any

from marine_runtime.calls.recursion import RecursionLimit
from marine_runtime.calls.sites import attach, locate
from marine_runtime.errors import CallError, Site
from marine_runtime.wasm.api import CoreFunction
from marine_runtime.wasm.traps import OUT_OF_STACK, out_of_stack


def not_linked(key: tuple[str, str]) -> CallError:
    """The error of an import that a start function calls too early."""
    return CallError(f"`{key[0]}.{key[1]}` was called before linking is complete")


def trampoline(run: CoreFunction, recursion: RecursionLimit, site: Site | None = None) -> CoreFunction:
    """`run` as a guest calls it: what it raises gets its places before it is parked for the outer call.

    A function of the host has a `site`; what else it raises is its own affair.
    """

    def call(*raw: Any) -> Any:
        depth = recursion.begin()  # check: linking calls inside each other are counted
        try:
            return run(*raw)
        except CallError as error:
            located = attach(error, site) if site and error.site is None else locate(error)
            raise located from located.__cause__
        except OUT_OF_STACK as error:
            if site:
                error.of_host = True  # type: ignore[union-attr]  # for the adapters that it passes
            elif not hasattr(error, "of_host") and (trap := out_of_stack(error)):
                located = locate(trap)
                raise located from located.__cause__
            raise
        finally:
            recursion.depth = depth - 1  # check: linking calls inside each other end

    return call


class LateBound:
    """An import adapter that exists before its instance does."""

    __slots__ = ("target",)

    def __init__(self, key: tuple[str, str]) -> None:
        def unbound(*_: Any) -> Any:
            raise not_linked(key)

        self.target: CoreFunction = unbound

    def call(self, *raw: Any) -> Any:
        return self.target(*raw)
