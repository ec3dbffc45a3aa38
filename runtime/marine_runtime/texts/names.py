"""Names that come from a Wasm file, as Python identifiers and as steps of a path.

Such names are data: anything from an empty string to ten kilobytes of control characters. Whatever spells them in
Python, in a stub or at run time, goes through `identifier` or `identifiers`, so that all of it agrees. This file knows
nothing about types or values; names in messages are left to `messages`.
"""

from __future__ import annotations

import keyword
from collections.abc import Collection, Iterable, Sequence

from marine_runtime.lazy.digest import sha256

MAX_IDENTIFIER = 80
"""Longer names are cut and get a hash, so that two long names stay distinct."""

_OF_IDENTIFIERS = frozenset("0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def identifier(name: str, taken: Collection[str] = ()) -> str:
    """A valid ASCII identifier for `name` that is not in `taken`; the same input always gives the same one.

    A keyword gets a trailing underscore, a leading digit a leading one, every other invalid character becomes one. At
    most one underscore leads, so no result meets Python's special or class-private names. A duplicate is numbered from
    2.
    """
    base = _mangle(name)
    if base not in taken:
        return base
    number = 2
    while (candidate := _numbered(base, number)) in taken:
        number += 1
    return candidate


def identifiers(names: Sequence[str], reserved: Iterable[str] = ()) -> list[str]:
    """Distinct identifiers for `names`, in order, none of them in `reserved`.

    A name that is an identifier already keeps it even when an earlier name would be mangled to the same, so a result
    that differs from its own name never equals another one: both spellings can share one lookup table.
    """
    taken = set(reserved)
    mangled = [_mangle(name) for name in names]
    kept: dict[str, int] = {}
    for position, (name, base) in enumerate(zip(names, mangled, strict=True)):
        if name == base and base not in taken:
            kept.setdefault(base, position)
    taken.update(kept)
    # Remembering the last number per base keeps thousands of equal names from costing their square.
    numbers: dict[str, int] = {}
    result = []
    for position, base in enumerate(mangled):
        if kept.get(base) == position:
            result.append(base)
            continue
        candidate, number = base, numbers.get(base, 1)
        while candidate in taken:
            number += 1
            candidate = _numbered(base, number)
        numbers[base] = number
        taken.add(candidate)
        result.append(candidate)
    return result


def _mangle(name: str) -> str:
    # Compatibility forms (full-width letters, ligatures) become plain ones; look-alikes of other scripts do not stay.
    plain = name
    if not name.isascii():
        import unicodedata

        plain = unicodedata.normalize("NFKC", name)
    base = "".join([character if character in _OF_IDENTIFIERS else "_" for character in plain])
    if base.startswith("__"):
        base = "_" + base.lstrip("_")
    if not base or base[0].isdigit():
        base = "_" + base
    if len(base) > MAX_IDENTIFIER:
        digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        base = f"{base[: MAX_IDENTIFIER - 13]}_{digest}"
    return base + "_" if keyword.iskeyword(base) else base


def _numbered(base: str, number: int) -> str:
    # Without `rstrip`, `_` would become the class-private `__2`.
    suffix = f"_{number}"
    return base[: MAX_IDENTIFIER - len(suffix)].rstrip("_") + suffix


def field_step(name: str) -> str:
    """The step of a path that leads to a field or parameter: `.name`, or `["odd name"]`."""
    import json

    if name.isidentifier():
        return "." + name
    return f"[{json.dumps(name, ensure_ascii=not name.isprintable())}]"
