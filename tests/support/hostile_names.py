"""Names that a Wasm file may contain, and that must never mean anything to the code made from them."""

from __future__ import annotations

from marine_gen.generate import Description, ExternModule, ImportedFunction, Member, Named, RecordDeclaration, Signature
from marine_runtime.types import Prim

SPOKEN = (
    # Variables, parameters and attributes of generated code, and what its own names are without underscores.
    *("memory", "guard", "check", "len", "type", "allocate", "lift_string", "lower_string", "link", "codec", "locate"),
    *("core_f", "callee_f", "export_f", "import_f", "entry_f", "publish_f", "body_6", "lift_record_6", "class_of"),
    *("Bound", "Sites", "Link", "RECORDS", "IMPORTS", "bind", "array", "Any", "dataclass", "Struct", "Prim", "Record"),
    *("value", "values", "error", "located", "adapter", "result", "results", "call", "row", "rows", "staging", "stage"),
    *("bytes", "str", "int", "list", "tuple", "dict", "object", "print", "exec", "annotations", "StructError", "p0"),
    *("value_0", "ptr0", "text0", "size0", "const0", "new_block", "out_of_range", "get_ident", "CallError", "self"),
    *("batch_f", "fused_f", "in_0", "out_0", "many_f", "call_f", "explain", "MAX_RECORD_DEPTH", "True_", "records"),
    *("meter", "staged_meter", "cells", "pairs", "slots", "watched", "direct", "large_f"),
)
"""Identifiers that generated code uses, or used, without two leading underscores."""

OWN = (
    *("__memory", "__guard", "__link", "__bind", "__type", "__str", "__Any", "__CallError", "__error", "__records"),
    *(
        "__core_f",
        "__entry_f",
        "__call_f",
        "__large_f",
        "__export_f",
        "__in_0",
        "__value_0",
        "_memory",
        "_core_f",
        "_str",
    ),
)
"""Names of generated code's own things, and beginnings of identifiers for such names."""

KEYWORDS = ("class", "def", "None", "lambda", "import", "True", "async", "match", "type", "_")
DUNDERS = ("__init__", "__class__", "__dict__", "__marine_record__", "__marine_sites__", "__slots__", "__mangled", "__")
QUOTES = (
    *('"', "'", '"""', "'''", "\\", '\\"', "a\nb", "a\r\nb", "\n", "\0", "\x1b[31m", "{{ doc }}", "{% raw %}", "{0}"),
    *("#", "# noqa", "%s", "`", "a;b", "a(b)", " ", "", "a b", "1", "0x", "\u2028", "\u202eevil", "\ufeff", "-", "."),
    '"""\nimport os\nos.abort()\n"""',
    "x): pass\n    raise SystemExit #",
)
LOOKALIKES = ("a", "а", "ａ", "ª", "é", "e\u0301", "имя", "名前", "K", "ſ", "ﬁ", "fi", "𝐟")
LONG = ("x" * 200, "x" * 199 + "y", "é" * 100)
ODD = (*KEYWORDS, *DUNDERS, *QUOTES, *LOOKALIKES, *LONG)
"""Names that mean something to more than the generator's own variables: to other formats, to Python, to readers."""

NAMES = (*SPOKEN, *OWN, *ODD)
SOME = (*SPOKEN[::8], *OWN[::4], *ODD[::2])
"""A part of each kind, for what takes long with all of them."""

ENDLESS = ("n" * 10_240, "n" * 10_239 + "m", "\n" * 10_240)
"""Longer than the binary form allows; adapter texts and module names can be."""


TAKEN = ("allocate", "memory")
"""Exports of every guest; parameters, fields and records may still be called so."""


def description(names: tuple[str, ...], namespace: str = "inner") -> Description:
    """A module with functions, parameters, records and imports of all those names."""
    names = tuple(dict.fromkeys(names))
    fields = tuple(Member(name, Prim.U8) for name in names)
    records = (
        *(RecordDeclaration(name, (Member(name, Prim.STRING),)) for name in names),
        RecordDeclaration("everything in one record", fields),
    )
    functions = (
        *(Signature(name, (Member(name, Named(name)),), Named(name)) for name in names if name not in TAKEN),
        Signature("everything at once", tuple(Member(name, Prim.STRING) for name in names), Prim.STRING),
        Signature("one record", (Member("x", Named("everything in one record")),), Named("everything in one record")),
    )
    imports = (ExternModule(namespace, tuple(map(ImportedFunction, functions))),) if namespace else ()
    return Description(records, functions, imports)
