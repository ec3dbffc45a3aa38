"""Mappings whose values are made when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from marine_runtime.lazy.typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Lazy(Mapping[K, V]):
    """A mapping whose values are made when they are first asked for.

    Args:
        sources: the source of each value, by key.
        make: makes a value out of it. Threads that ask at the same time may each call it.
    """

    def __init__(self, sources: Mapping[K, Any], make: Callable[[K, Any], V]) -> None:
        self._sources, self._make = sources, make
        self._values: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        if key not in self._values:
            self._values[key] = self._make(key, self._sources[key])
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._sources

    def __iter__(self) -> Iterator[K]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def __repr__(self) -> str:
        return repr(dict(self))
