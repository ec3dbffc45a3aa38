"""The ABI between a module's adapters and its core Wasm: layouts, helper functions, link plans.

What is listed here is the interface for the compiler; files of the runtime import each other directly.
"""

from __future__ import annotations

from marine_runtime.lazy.exports import exports
from marine_runtime.lazy.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marine_runtime.abi.helpers import BY_EXPORT, BYTES_TAG, AbiHelper
    from marine_runtime.abi.host_api import HOST_NAMESPACES, RESERVED_PREFIX
    from marine_runtime.abi.layout import (
        FLOATS,
        INTEGER_RANGES,
        Body,
        Bytes,
        Flat,
        Form,
        Kind,
        List,
        OutOfLine,
        Shape,
        Struct,
        Text,
        cost,
        element_of,
        has_parts,
        is_flat,
        layout_of,
        raw_codes,
        record_body,
        shape,
    )
    from marine_runtime.abi.measures import CORE_CODES, CORE_TYPES, MAX_RECORD_DEPTH
    from marine_runtime.abi.packed import (
        NO_TEXT,
        NUL,
        Column,
        Packing,
        Place,
        crosses,
        is_numbers,
        packing,
        packing_of_rows,
    )
    from marine_runtime.abi.plan import FORMAT, Callee, LeftOut, ModulePlan
    from marine_runtime.abi.sizes import memory_size

__all__ = [
    "BYTES_TAG",
    "BY_EXPORT",
    "CORE_CODES",
    "CORE_TYPES",
    "FLOATS",
    "FORMAT",
    "HOST_NAMESPACES",
    "INTEGER_RANGES",
    "MAX_RECORD_DEPTH",
    "NO_TEXT",
    "NUL",
    "RESERVED_PREFIX",
    "AbiHelper",
    "Body",
    "Bytes",
    "Callee",
    "Column",
    "Flat",
    "Form",
    "Kind",
    "LeftOut",
    "List",
    "ModulePlan",
    "OutOfLine",
    "Packing",
    "Place",
    "Shape",
    "Struct",
    "Text",
    "cost",
    "crosses",
    "element_of",
    "has_parts",
    "is_flat",
    "is_numbers",
    "layout_of",
    "memory_size",
    "packing",
    "packing_of_rows",
    "raw_codes",
    "record_body",
    "shape",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        "marine_runtime.abi.helpers": ("BY_EXPORT", "BYTES_TAG", "AbiHelper"),
        "marine_runtime.abi.host_api": ("HOST_NAMESPACES", "RESERVED_PREFIX"),
        "marine_runtime.abi.layout": (
            "FLOATS",
            "INTEGER_RANGES",
            "Body",
            "Bytes",
            "Flat",
            "Form",
            "Kind",
            "List",
            "OutOfLine",
            "Shape",
            "Struct",
            "Text",
            "cost",
            "element_of",
            "has_parts",
            "is_flat",
            "layout_of",
            "raw_codes",
            "record_body",
            "shape",
        ),
        "marine_runtime.abi.measures": ("CORE_CODES", "CORE_TYPES", "MAX_RECORD_DEPTH"),
        "marine_runtime.abi.packed": (
            "NO_TEXT",
            "NUL",
            "Column",
            "Packing",
            "Place",
            "crosses",
            "is_numbers",
            "packing",
            "packing_of_rows",
        ),
        "marine_runtime.abi.sizes": ("memory_size",),
        "marine_runtime.abi.plan": ("FORMAT", "Callee", "LeftOut", "ModulePlan"),
    },
)
