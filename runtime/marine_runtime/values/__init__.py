"""Values on the Python side: checks, records, JSON, arguments, annotations.

What is listed here is the interface for the compiler; files of the runtime import each other directly.
"""

from marine_runtime.values.json import arguments_from_json
from marine_runtime.values.json_text import parse
from marine_runtime.values.records import class_names, make_record_classes, scalar_class, to_public
from marine_runtime.values.scalars import MAX_LENGTH

__all__ = [
    "MAX_LENGTH",
    "arguments_from_json",
    "class_names",
    "make_record_classes",
    "parse",
    "scalar_class",
    "to_public",
]
