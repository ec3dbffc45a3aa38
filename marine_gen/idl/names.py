"""The names of a description, both ways: words and quoted names, and the words for types."""

from __future__ import annotations

import re

from marine_gen.generate.model import DESCRIBED_PRIMS
from marine_gen.parsing.literals import write_string
from marine_runtime.types import Prim

TYPE_WORDS = {str(prim): prim for prim in Prim if prim in DESCRIBED_PRIMS} | {
    "i8": Prim.S8,
    "i16": Prim.S16,
    "i32": Prim.S32,
    "i64": Prim.S64,
}
"""The types that have a word. Signed numbers have two; the one with `i` is that of Aqua."""

_PLAIN = re.compile(r"[^\W\d]\w*")


def write_name(name: str) -> str:
    """`name` as it stands in a text: plain where it can, else in quotes."""
    return name if _PLAIN.fullmatch(name) else write_string(name)


def write_record_name(name: str) -> str:
    """The same for the name of a record, which in quotes may even be the word for a type."""
    return write_string(name) if name in TYPE_WORDS else write_name(name)
