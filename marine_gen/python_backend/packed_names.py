"""The names that functions over packed values refer to: record classes, structs of headers, annotations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from marine_gen.codegen.writer import PYTHON, Writer
from marine_gen.python_backend.needs import CONSTANTS, READY, Needs
from marine_runtime.abi import Packing, Struct, packing
from marine_runtime.texts import identifiers
from marine_runtime.types import IType, Records


class PackedNames:
    """The names that functions over packed values share in one generated module. Asking for a name requests it."""

    def __init__(
        self,
        records: Records,
        classes: Mapping[int, str],
        needs: Needs,
        annotations: tuple[Callable[[IType], str], Callable[[IType], str]],
    ) -> None:
        """Write into `needs`; `annotations` spell the types of internal values, and of public ones."""
        self.records = records
        self.needs = needs
        self._annotations = annotations
        self._class_names = classes
        self._packings: dict[IType, Packing | None] = {}

    def packing(self, ty: IType) -> Packing | None:
        """The packed form of `ty`, if it has one."""
        if ty not in self._packings:
            self._packings[ty] = packing(ty, self.records)
        return self._packings[ty]

    def annotation(self, ty: IType, *, public: bool) -> str:
        """The annotation of a value."""
        return self._annotations[public](ty)

    def header(self, packed: Packing, key: str) -> str:
        """The name of the `struct` of the fixed part."""
        expression = f'{self.needs.standard("Struct")}("<{packed.header}")'
        return self.needs.binding(CONSTANTS, f"header_{key}", expression)

    def record_class(self, index: int) -> str:
        """The name of the class of a record."""
        return self.needs.binding(READY, f"class_{index}", self._class_names[index])

    def twin(self, index: int) -> str:
        """The name of its twin."""
        return self.needs.binding(
            READY, f"twin_{index}", f"{self.needs.support('stand_in')}({self.record_class(index)})"
        )


class PackedFunction:
    """The common part of writing either kind of function."""

    def __init__(self, values: PackedNames, packed: Packing, key: str, *, public: bool, level: int = 1) -> None:
        self._values = values
        self._needs = values.needs
        self._packed = packed
        self._key = key
        self._public = public
        self._writer = Writer(PYTHON, level)

    @property
    def _any(self) -> str:
        return self._needs.support("Any")

    def _fields(self, part: Struct) -> list[str]:
        return identifiers([item.name for item in self._values.records[part.id].fields])
