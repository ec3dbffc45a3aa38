"""Second names for types, for classes in which a member hides the first one.

In the body of a class with a method `str`, the annotation `str` means the method to a type checker.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from marine_runtime.names import identifier

_WORD = re.compile(r"[A-Za-z_]\w*")


class Aliases:
    """The second names of one generated file; `classes` are the names that it declares itself."""

    def __init__(self, classes: Iterable[str]) -> None:
        self._classes = set(classes)
        self._names: dict[str, str] = {}  # by second name

    def spell(self, annotation: str, members: Collection[str]) -> str:
        """`annotation` in the body of a class with those members."""
        return _WORD.sub(lambda found: self._visible(found[0], members), annotation)

    def items(self) -> list[tuple[str, str]]:
        """Name and second name of every type that has one, sorted."""
        return sorted((name, alias) for alias, name in self._names.items())

    def _visible(self, name: str, members: Collection[str]) -> str:
        if name not in members:
            return name
        for alias, known in self._names.items():
            if known == name and alias not in members:
                return alias
        alias = identifier(f"_{name}", {*members, *self._classes, *self._names})
        self._names[alias] = name
        return alias
