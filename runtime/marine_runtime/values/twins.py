"""Twins of record classes: instances are filled in by plain stores, then become instances of the record class.

A frozen dataclass refuses assignment, and its `__init__` goes through `object.__setattr__` for each field. An instance
of a bare class of the same layout takes stores that the interpreter specialises; setting its `__class__` ends that.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

_TWINS: WeakKeyDictionary[type, type] = WeakKeyDictionary()


def twin(cls: type) -> type:
    """The class whose instances can become instances of `cls`: the same layout, without the methods of `cls`."""
    known = _TWINS.get(cls)
    if known is None:
        namespace = {"__slots__": vars(cls)["__slots__"]} if "__slots__" in vars(cls) else {}
        known = _TWINS[cls] = type(cls.__name__, cls.__bases__, namespace)
    return known
