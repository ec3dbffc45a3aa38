"""Generated Python in pieces: definitions that are executed when they are first needed.

`taking_apart` says how a generated file becomes pieces. What stands outside of its function `__bind` is executed once
per load; a definition is code that defines a global of a namespace that one instance has for itself.
"""

from __future__ import annotations

import _imp
import marshal
from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import Any, TypeVar

from marine_runtime.lazy.data import dataclass

BIND, LINK = "__bind", "__link"
"""The function that is taken apart, and its parameter."""

Piece = tuple[tuple[str, ...], bytes]
"""The names of other definitions that one requests, and its code, marshalled."""

K = TypeVar("K")
V = TypeVar("V")


_fix_filename: Callable[[CodeType, str], None] | None = getattr(_imp, "_fix_co_filename", None)
"""CPython's own function for compiled files that were moved."""


def placed(code: CodeType, filename: str) -> CodeType:
    """The code with the path of its source in the place of the bare name that it was compiled under."""
    if _fix_filename is not None:
        _fix_filename(code, filename)
        return code
    parts = (placed(part, filename) if isinstance(part, CodeType) else part for part in code.co_consts)
    return code.replace(co_filename=filename, co_consts=tuple(parts))


@dataclass(frozen=True, slots=True)
class Pieces:
    """A generated file, taken apart.

    Attributes:
        head: everything outside of `__bind`, marshalled.
        definitions: what `__bind` defines, by name, in its order.
        results: the parts of `BoundAdapters`: for each keyword the names of the definitions by key. The value of an
            import is its codes and the name.
    """

    head: bytes
    definitions: Mapping[str, Piece]
    results: Mapping[str, Mapping[Any, Any]]

    def to_marshal(self) -> tuple[Any, ...]:
        """As objects that `marshal` takes."""
        return self.head, dict(self.definitions), {key: dict(value) for key, value in self.results.items()}

    @classmethod
    def from_marshal(cls, value: Any) -> Pieces | None:
        """The inverse of `to_marshal`; None when it is something else."""
        match value:
            case (bytes() as head, dict() as definitions, dict() as results):
                return cls(head, definitions, results)
            case _:
                return None


class Namespace:
    """The definitions of one instance, each made when it is first asked for, with those that it requests.

    Args:
        pieces: the file.
        content: what the head of the file has defined.
        link: what definitions are bound to.
        path: the path of the file, which its code names.
    """

    def __init__(self, pieces: Pieces, content: Mapping[str, Any], link: Any, path: str) -> None:
        self._definitions, self._path = pieces.definitions, path
        self._globals = {**content, LINK: link}
        self._made: set[str] = set()  # those that were executed to their end

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._make(name)
        return self._globals[name]

    def _make(self, name: str) -> None:
        """Execute what `name` requests and has not been executed, then itself."""
        pending, seen = [(name, False)], set[str]()
        while pending:
            current, ready = pending.pop()
            if ready:
                code = marshal.loads(self._definitions[current][1])  # noqa: S302  # a build is code
                exec(placed(code, self._path), self._globals)  # noqa: S102
                self._made.add(current)
            elif current not in seen and current not in self._made:
                seen.add(current)  # functions may request each other, which is fine until one is called
                pending.append((current, True))
                pending += [(other, False) for other in reversed(self._definitions[current][0])]


class Lazy(Mapping[K, V]):
    """A mapping whose values are made when they are first asked for.

    Args:
        sources: what each value is made of, by key.
        make: makes a value out of it.
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
