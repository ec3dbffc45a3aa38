"""Values on the Python side: checks, records, JSON, arguments, annotations.

What is listed here is the interface for the compiler; files of the runtime import each other directly.
"""

from __future__ import annotations

from marine_runtime.lazy.exports import exports
from marine_runtime.lazy.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marine_runtime.values.coerce import Coercers, coercion
    from marine_runtime.values.json import JsonCodec, arguments_from_json
    from marine_runtime.values.json_dropped import problem_in
    from marine_runtime.values.json_spelling import spell_float
    from marine_runtime.values.json_text import MAX_DEPTH, NotJsonError, end_of_value, parse, parse_first
    from marine_runtime.values.records import class_names, make_record_classes, scalar_class, to_public
    from marine_runtime.values.scalars import MAX_LENGTH, Mismatch

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "Coercers",
    "JsonCodec",
    "Mismatch",
    "NotJsonError",
    "arguments_from_json",
    "class_names",
    "coercion",
    "end_of_value",
    "make_record_classes",
    "parse",
    "parse_first",
    "problem_in",
    "scalar_class",
    "spell_float",
    "to_public",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        "marine_runtime.values.coerce": ("Coercers", "coercion"),
        "marine_runtime.values.json": ("JsonCodec", "arguments_from_json"),
        "marine_runtime.values.json_dropped": ("problem_in",),
        "marine_runtime.values.json_spelling": ("spell_float",),
        "marine_runtime.values.json_text": ("MAX_DEPTH", "NotJsonError", "end_of_value", "parse", "parse_first"),
        "marine_runtime.values.records": ("class_names", "make_record_classes", "scalar_class", "to_public"),
        "marine_runtime.values.scalars": ("MAX_LENGTH", "Mismatch"),
    },
)
