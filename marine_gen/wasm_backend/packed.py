"""Packed values (`marine_runtime.abi.packed`) in Wasm: what walking them in either direction shares.

A function per place of a type, guest and direction. Cursors are globals, one for each column; only one value is walked
at a time. A guest whose `allocate` calls the host begins another walk: the adapter of that call gives the globals their
values back.
"""

from __future__ import annotations

from collections.abc import Callable

from marine_gen.wasm_backend.copy import Copiers
from marine_gen.wasm_backend.expressions import const
from marine_gen.wasm_backend.imports import GlueImports
from marine_gen.wasm_backend.library import Library
from marine_runtime.abi import Place, packing
from marine_runtime.types import IType, Records

MOVES = {1: ("i32", "load8_u", "store8"), 2: ("i32", "load16_u", "store16"), 4: ("i32", "load", "store")}
MOVES[8] = ("i64", "load", "store")
"""Load and store instructions for a slot that moves as it is, by size."""

STAGED = "$staging"


class Walk:
    """The common part of walks over packed values."""

    def __init__(self, imports: GlueImports, library: Library, copiers: Copiers) -> None:
        self._imports = imports
        self._library = library
        self._copiers = copiers

    def _global(self, name: str, ty: str = "i32") -> str:
        """The symbol of a mutable global."""
        if name not in self._library.definitions:
            with self._library.definitions.definition(name) as made:
                made.lines = [f"  (global ${name} (mut {ty}) {const(0, ty)})"]
        return f"${self._library.definitions.use(name)}"

    def globals_of(self, ty: IType, records: Records) -> list[str]:
        """The globals that say how far a walk over a packed `ty` has got."""
        packed = packing(ty, records)
        assert packed is not None
        names = [self._row, *map(self._cursor, range(len(packed.columns))), *map(self._separator, packed.separated)]
        return [*names, self._text] if packed.texts else names

    def _cursor(self, column: int) -> str:
        return self._global(f"cursor.{column}")

    @property
    def _row(self) -> str:
        return self._global("row")

    @property
    def _text(self) -> str:
        """The cursor of the row's text."""
        return self._global("text")

    def _separator(self, column: int) -> str:
        return self._global(f"separator.{column}")

    def _defined(self, name: str, write: Callable[[], list[str]]) -> str:
        if name not in self._library.definitions:
            with self._library.definitions.definition(name) as made:
                made.lines = write()
        return f"${self._library.definitions.use(name)}"

    def _content(self, place: Place) -> str:
        """The cursor of a place's text or numbers."""
        return self._text if place.in_row else self._cursor(place.content)


def advance(cursor: str, by: str) -> str:
    return f"(global.set {cursor} (i32.add (global.get {cursor}) {by}))"


def scaled(count: str, size: int) -> str:
    return count if size == 1 else f"(i32.mul {count} {const(size)})"
