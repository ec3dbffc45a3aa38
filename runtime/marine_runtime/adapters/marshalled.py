"""Marshalled code that is the same at every build.

Later versions of marshal's format mark objects that are shared, which depends on what else the process holds. Version 2
has no such marks, and no slices either, which are constants of code from Python 3.14 on. So those are written here;
every Python that has them reads them in any version.
"""

from __future__ import annotations

import marshal
import os
import re
from collections.abc import Callable
from types import CodeType

from marine_runtime.lazy.typing import Any

_VERSION = 2
_SHARED = 0x80  # the mark, in the first byte of an object


def dump(value: Any) -> bytes:
    """`value`, such as code, for `marshal.loads`.

    Raises:
        ValueError: something in it can't be marshalled.
    """
    try:
        return marshal.dumps(value, _VERSION)
    except ValueError:
        slices: list[slice] = []
        mark = os.urandom(16)

        def stand_in(item: slice) -> bytes:
            slices.append(item)
            return mark + len(slices).to_bytes(4, "big")

        written = marshal.dumps(_replaced(value, stand_in), _VERSION)
        if not slices:
            raise
        before = marshal.dumps(mark + bytes(4), _VERSION)[:-4]
        return re.sub(
            re.escape(before) + b"(.{4})",
            lambda found: _dump_slice(slices[int.from_bytes(found[1], "big") - 1]),
            written,
            flags=re.DOTALL,
        )


def _replaced(value: Any, stand_in: Callable[[slice], bytes]) -> Any:
    """`value` with bytes in the place of each slice."""
    if isinstance(value, slice):
        return stand_in(value)
    if isinstance(value, tuple):
        return tuple(_replaced(item, stand_in) for item in value)
    if isinstance(value, CodeType):
        return value.replace(co_consts=_replaced(value.co_consts, stand_in))
    return value


def _dump_slice(item: slice) -> bytes:
    anything: Any = slice(None)  # which the type checker does not know as a constant yet
    kind = marshal.dumps(anything, marshal.version)[0] & ~_SHARED
    return bytes([kind]) + b"".join(marshal.dumps(part, _VERSION) for part in (item.start, item.stop, item.step))
