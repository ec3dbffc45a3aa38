"""Generated Python in pieces: definitions that are executed when they are first needed.

`taking_apart` says how a generated file becomes pieces. What stands outside of its function `__bind` is executed once
per load, the record classes there when they are first asked for; a definition is code that defines a global of a
namespace that one instance has for itself.
"""

from __future__ import annotations

import _imp
import marshal
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

from marine_runtime.lazy.data import dataclass

BIND, LINK = "__bind", "__link"
"""The function that is taken apart, and its parameter."""

RECORDS = "__records"
"""The table of the record classes by type index."""

Piece = tuple[tuple[str, ...], bytes]
"""The names of other definitions and record classes that one requests, and its code, marshalled."""


_fix_filename: Callable[[CodeType, str], None] | None = getattr(_imp, "_fix_co_filename", None)
"""CPython's own function for compiled files that were moved."""


def placed(code: CodeType, filename: str) -> CodeType:
    """The code with the path of its source instead of the bare name that it was compiled under."""
    if _fix_filename is not None:
        _fix_filename(code, filename)
        return code
    parts = (placed(part, filename) if isinstance(part, CodeType) else part for part in code.co_consts)
    return code.replace(co_filename=filename, co_consts=tuple(parts))


@dataclass(frozen=True, slots=True)
class Pieces:
    """A generated file, taken apart.

    Attributes:
        head: everything outside of `__bind` except the record classes, marshalled.
        records: the name and the marshalled code of each record class, by type index.
        definitions: what `__bind` defines, by name, in its order.
        results: the parts of `BoundAdapters`: for each keyword the names of the definitions by key. The value of an
            import is its codes and the name.
    """

    head: bytes
    records: Mapping[int, tuple[str, bytes]]
    definitions: Mapping[str, Piece]
    results: Mapping[str, Mapping[Any, Any]]

    def to_marshal(self) -> tuple[Any, ...]:
        """As objects that `marshal` takes."""
        records, definitions = dict(self.records), dict(self.definitions)
        return self.head, records, definitions, {key: dict(value) for key, value in self.results.items()}

    @classmethod
    def from_marshal(cls, value: Any) -> Pieces | None:
        """The inverse of `to_marshal`; None when it is something else."""
        match value:
            case (bytes() as head, dict() as records, dict() as definitions, dict() as results):
                return cls(head, records, definitions, results)
            case _:
                return None


class Namespace:
    """The definitions of one instance, each made when it is first asked for, with those that it requests.

    Args:
        pieces: the file.
        content: what the head of the file has defined.
        link: what definitions are bound to.
        path: the path of the file, which its code names.
        records: the record classes by name, for annotations.
    """

    def __init__(
        self, pieces: Pieces, content: Mapping[str, Any], link: Any, path: str, records: Mapping[str, type]
    ) -> None:
        self._definitions, self._path, self._records = pieces.definitions, path, records
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
            elif current in self._records:
                self._globals[current] = self._records[current]
            elif current not in seen and current not in self._made:
                seen.add(current)  # functions may request each other, which is fine until one is called
                pending.append((current, True))
                pending += [(other, False) for other in reversed(self._definitions[current][0])]
