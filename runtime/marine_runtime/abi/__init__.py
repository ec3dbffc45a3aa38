"""The ABI between a module's adapters and its core Wasm: layouts, helper functions, link plans.

What is listed here is the interface for the compiler; files of the runtime import each other directly.
"""

from marine_runtime.abi.helpers import BY_EXPORT, BYTES_TAG, AbiHelper
from marine_runtime.abi.host_api import HOST_NAMESPACES, RESERVED_PREFIX
from marine_runtime.abi.layout import (
    CORE_CODES,
    CORE_TYPES,
    FLOATS,
    INTEGER_RANGES,
    MAX_RECORD_DEPTH,
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
from marine_runtime.abi.plan import FORMAT, Callee, ModulePlan

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
    "RESERVED_PREFIX",
    "AbiHelper",
    "Body",
    "Bytes",
    "Callee",
    "Flat",
    "Form",
    "Kind",
    "List",
    "ModulePlan",
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
]
