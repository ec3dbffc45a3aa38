"""Names of an interface as C identifiers.

They are first mangled like everywhere else (`marine_runtime.texts.names`), so a name has one spelling in Python and in
C wherever both languages allow it. This file adds what C keeps for itself. It knows nothing about types.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from marine_runtime.texts import identifier, identifiers

_LINES = (Path(__file__).parent / "reserved.txt").read_text(encoding="ascii").splitlines()

RESERVED = frozenset(word for line in _LINES if not line.startswith("#") for word in line.split())
"""Keywords, and names that the C library has as macros or that compilers hold to a type of their own."""


def c_names(names: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Distinct C identifiers for `names`, in order, none of them in `taken`.

    What C or its library has already gets a trailing underscore, and so does what starts like the names of `marine.h`
    and of generated glue.
    """
    return identifiers([_unreserved(name) for name in names], taken)


def _unreserved(name: str) -> str:
    base = identifier(name)
    if base in RESERVED or base.lower().startswith("marine_"):
        return base + "_"
    return name
