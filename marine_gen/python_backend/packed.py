"""Packing and unpacking of records and arrays: one function per type and direction, for public or internal values.

Values of the row are handled one by one; what arrays hold, a column at a time, so that each step over many values is a
loop in C. `marine_runtime.abi.packed` has the form.

Public values come as users hold them. Only exactly the expected classes are packed; anything else raises one of
`UNUSUAL`, and the runtime's coercion decides. Lists are copied before they are looked at, as other threads may change
them: what is packed is of one piece.
"""

from __future__ import annotations

from marine_gen.codegen.type_names import type_key
from marine_gen.python_backend.needs import HELPERS, READY, own
from marine_gen.python_backend.pack_values import Pack
from marine_gen.python_backend.packed_names import PackedNames
from marine_gen.python_backend.unpack_values import Unpack
from marine_runtime.abi import Flat, List, Struct, is_numbers, shape
from marine_runtime.types import IType
from marine_runtime.values import scalar_class

UNUSUAL = ("AttributeError", "OverflowError", "StructError", "TypeError", "ValueError")
"""The errors of packing a public value that can't be packed as it is."""


class PackedValues(PackedNames):
    """The functions of one generated module that pack and unpack. Asking for a name requests the function."""

    def checks(self, ty: IType) -> bool:
        """Return whether `check` has a function for `ty`: it is an array or a record, and not recursive."""
        return is_numbers(shape(ty)) or self.packing(ty) is not None

    def check(self, ty: IType) -> str:
        """The name of the function from a public argument to what the call takes; it raises one of `UNUSUAL`."""
        part = shape(ty)
        if not isinstance(part, List) or not isinstance(element := part.element, Flat):
            return self.pack(ty, public=True)
        checker, cls = self.needs.support("flat_checker"), self.needs.standard(scalar_class(element.kind).__name__)
        return self.needs.binding(READY, f"check_{type_key(ty)}", f'{checker}({cls}, "{element.layout.format}")')

    def internal(self, ty: IType, value: str) -> str:
        """The argument of the call for an internal value."""
        return value if is_numbers(shape(ty)) else f"{self.pack(ty, public=False)}({value})"

    def pack(self, ty: IType, *, public: bool) -> str:
        """The name of the function from a value to its packed bytes."""
        packed = self.packing(ty)
        assert packed is not None
        name = own(f"pack_{'public_' if public else ''}{type_key(ty)}")
        if name not in self.needs.definitions:
            with self.needs.definition(HELPERS, name) as definition:
                definition.lines = Pack(self, packed, type_key(ty), public=public).function(name)
        return self.needs.definitions.use(name)

    def unpack(self, ty: IType, *, public: bool) -> str:
        """The name of the function from the address of a packed value in staging to the value."""
        packed = self.packing(ty)
        assert packed is not None
        public = public and any(isinstance(place.shape, Struct) for place in packed.places)
        name = own(f"unpack_{'public_' if public else ''}{type_key(ty)}")
        if name not in self.needs.definitions:
            with self.needs.definition(HELPERS, name) as definition:
                definition.lines = Unpack(self, packed, type_key(ty), public=public).function(name)
        return self.needs.definitions.use(name)
