"""The six functions that every module exports for its host (docs/spec/memory.md#abi-helpers).

Their names, core signatures and places in the call-core index space are defined here once, with the rules of the tag
that `allocate` gets.
"""

from __future__ import annotations

from enum import IntEnum

from marine_runtime.abi.layout import layout_of
from marine_runtime.types import Field, FunctionType, Prim

BYTES_TAG = layout_of(Prim.U8).tag
"""The tag of blocks that hold bytes: strings, byte arrays and bodies of records. A block of any other array has the tag
of its elements' `Layout`."""


class AbiHelper(IntEnum):
    """A helper; the number is its call-core index in generated sections."""

    ALLOCATE = 0
    RELEASE_OBJECTS = 1
    GET_RESULT_SIZE = 2
    GET_RESULT_PTR = 3
    SET_RESULT_SIZE = 4
    SET_RESULT_PTR = 5

    @property
    def export(self) -> str:
        """The name under which a module exports it."""
        return self.name.lower()

    @property
    def core(self) -> FunctionType:
        """The core signature; everything is an i32."""
        params, results = _SIGNATURES[self]
        return FunctionType(tuple(Field(name, Prim.I32) for name in params), (Prim.I32,) * results)

    @property
    def codes(self) -> tuple[str, str]:
        """The codes of `core`: pointers, sizes and tags are unsigned."""
        params, results = _SIGNATURES[self]
        return "I" * len(params), "I" * results

    @property
    def declared(self) -> FunctionType:
        """The signature in interface sections.

        `allocate` really has a second parameter, the tag; readers take it from the module, and writers leave it out.
        """
        core = self.core
        return FunctionType(core.params[:1], core.results)


_SIGNATURES: dict[AbiHelper, tuple[tuple[str, ...], int]] = {
    AbiHelper.ALLOCATE: (("size", "tag"), 1),
    AbiHelper.RELEASE_OBJECTS: ((), 0),
    AbiHelper.GET_RESULT_SIZE: ((), 1),
    AbiHelper.GET_RESULT_PTR: ((), 1),
    AbiHelper.SET_RESULT_SIZE: (("result_size",), 0),
    AbiHelper.SET_RESULT_PTR: (("result_ptr",), 0),
}
"""Names of the parameters, and number of results."""

BY_EXPORT = {helper.export: helper for helper in AbiHelper}
"""The helpers by the names of their exports."""
