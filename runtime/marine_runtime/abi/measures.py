"""Measures of the binary interface that need no type: codes of core values, and limits of what lies in memory.

What follows from a type is told in `layout`, which a call of functions of texts and numbers does not import.
"""

from __future__ import annotations

from collections.abc import Mapping

from marine_runtime.types import Prim

MAX_RECORD_DEPTH = 128
"""Records nested deeper than this are refused; a guest could otherwise tie a knot of pointers."""

PART = 16
"""Bytes that each part of a value costs besides its own, see `layout.cost`."""

CORE_CODES: Mapping[Prim, str] = {Prim.I32: "iI", Prim.I64: "qQ", Prim.F32: "f", Prim.F64: "d"}
"""The types that a core Wasm value can have in an adapter, with the `struct` codes by which it crosses: the first reads
a signed number, the last an unsigned one."""

CORE_TYPES = frozenset(CORE_CODES)
