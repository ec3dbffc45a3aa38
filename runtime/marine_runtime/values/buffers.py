"""Values out of buffers: `array.array`, `memoryview`, NumPy's arrays, `mmap`, `ctypes`.

The buffer protocol says how large items are, what they are, and in which order their bytes come. No library has to be
imported for that.
"""

from __future__ import annotations

import struct

from marine_runtime.lazy.typing import Any

_ORDERS = "@=<>!"
_NUMBERS = frozenset("?bBhHiIlLqQnNefd")
_SCALARS = _NUMBERS - {"?"} | {"g"}
_OCTETS = frozenset("Bc")


def view_of(value: Any) -> memoryview | None:
    """The memory of an array, or of anything else that shows it; None for other objects.

    NumPy shows a date as a row of 8 bytes. So a single value, which has no length but can be an integer, is not a row.

    Raises:
        Exception: whatever the object raises, such as ValueError for a memoryview that was released.
    """
    try:
        view = memoryview(value)
    except TypeError:
        return None
    single = not hasattr(type(value), "__len__") and hasattr(type(value), "__int__")
    return None if single and view.ndim else view


def is_number(value: Any) -> bool | None:
    """Return whether what an object shows is one number, and not a truth value, a date or text; None without memory."""
    try:
        view = memoryview(value)
    except TypeError:
        return None
    except Exception:  # of a kind that the buffer protocol can't tell
        return False
    return view.ndim == 0 and view.format.lstrip(_ORDERS) in _SCALARS


def holds_octets(view: memoryview) -> bool:
    """Return whether it is a row of single bytes without a sign."""
    return view.ndim == 1 and view.format.lstrip(_ORDERS) in _OCTETS


def items_of(view: memoryview) -> list[Any]:
    """The items, as Python values; rows are lists, where there are several dimensions.

    Raises:
        NotImplementedError: Python has no values for items of such a format.
    """
    order, code = view.format[:-1], view.format[-1:]
    if view.ndim == 1 and code in _NUMBERS and (not order or order in _ORDERS):
        # Unlike `tolist`, this reads every order of bytes.
        return list(struct.unpack(f"{order}{len(view)}{code}", view.tobytes()))
    items: list[Any] = view.tolist()
    return items
