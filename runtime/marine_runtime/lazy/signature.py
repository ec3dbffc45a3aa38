"""Signatures of functions for `inspect` and `help`, made at their first use: the import of `inspect` is slow."""

from __future__ import annotations

from collections.abc import Callable

from marine_runtime.lazy.typing import Any


class LazySignature:
    """A value for `__signature__` that is the `inspect.Signature` which `make` gives, in everything but its type."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None

    def _signature(self) -> Any:
        if self._made is None:
            self._made = self._make()
        return self._made

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # `inspect` asks for an instance
        return type(self._signature())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._signature(), name)

    def __eq__(self, other: object) -> bool:
        return bool(self._signature() == other)

    def __hash__(self) -> int:
        return hash(self._signature())

    def __str__(self) -> str:
        return str(self._signature())

    def __repr__(self) -> str:
        return repr(self._signature())
