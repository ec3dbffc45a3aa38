"""Instances of record classes: what the classes have in common, and making instances without `__init__`.

A frozen dataclass sets every field through `object.__setattr__`. Plain stores into an instance of a class that is not
frozen but has the same slots, its twin, followed by a change of class, take a quarter of that time.
"""

from __future__ import annotations

import dataclasses
import sysconfig
import weakref
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import CodeType

from marine_runtime.lazy.turns import Turns
from marine_runtime.lazy.typing import Any

Convert = Callable[[Any], Any]
"""Turns a value of one type into another form of it."""

# Every other thread has to stop for a change of class where no lock keeps them from running at once.
_CLASS_CHANGES_ARE_CHEAP = not sysconfig.get_config_var("Py_GIL_DISABLED")


class RecordBase:
    """The base of all record classes, which are frozen dataclasses that list their fields in `__slots__`.

    `dataclass(slots=True)` can't express that: on Python 3.11 its instances have no weak references, and setting an
    attribute that is not a field of theirs is a `TypeError`.
    """

    __slots__ = ("__weakref__",)

    def __getstate__(self) -> Any:
        return object.__getstate__(self)  # the old protocols of pickle want to see a method of the class

    def __setstate__(self, state: Any) -> None:
        # (attributes of a subclass, slots), or attributes alone: records had no slots once.
        for part in state if isinstance(state, tuple) else (state,):
            for name, value in (part or {}).items():
                object.__setattr__(self, name, value)


_twins: weakref.WeakKeyDictionary[type, type] = weakref.WeakKeyDictionary()
_making = Turns()


def twin(cls: type) -> type | None:
    """A class whose instances take plain stores into the slots of `cls`, and may become instances of it.

    None where there is none: `cls` is not a record class, or Python makes the change of class slow.
    """
    names = tuple(field.name for field in dataclasses.fields(cls))
    if not _CLASS_CHANGES_ARE_CHEAP or cls.__base__ is not RecordBase or cls.__dict__.get("__slots__") != names:
        return None
    with _making.lock:
        found = _twins.get(cls)
        if found is None:
            found = _twins[cls] = type(cls.__name__, (RecordBase,), {"__slots__": names, "__module__": __name__})
    return found


def stand_in(cls: type) -> type:
    """A class whose instances take plain stores, and may become instances of `cls`, whatever that costs."""
    found = twin(cls)
    if found is None:
        namespace = {"__slots__": vars(cls)["__slots__"]} if "__slots__" in vars(cls) else {}
        found = type(cls.__name__, cls.__bases__, namespace)
    return found


def instance_maker(cls: type, converters: Sequence[Convert | None] = ()) -> Callable[[Sequence[Any]], Any]:
    """A function that makes an instance of the record class `cls` of the values of its fields, without `__init__`.

    Args:
        cls: a record class, or any other dataclass.
        converters: the conversion of each value; None leaves it as it is.
    """
    names = [field.name for field in dataclasses.fields(cls)]
    parts = list(converters) or [None] * len(names)
    plain = twin(cls)
    scope: dict[str, Any] = {f"convert_{at}": part for at, part in enumerate(parts) if part is not None}
    scope |= {"new": cls.__new__ if plain is None else plain, "cls": cls, "store": object.__setattr__}
    exec(_code(tuple(names), tuple(part is not None for part in parts), plain is not None), scope)  # noqa: S102 - as `dataclasses` does
    made: Callable[[Sequence[Any]], Any] = scope["make"]
    return made


@lru_cache(512)
def _code(names: tuple[str, ...], converted: tuple[bool, ...], has_twin: bool) -> CodeType:
    """The function's code; `names` are identifiers that `names.identifiers` or a class statement made."""
    lines = ["def make(values):"]
    if names:
        lines.append(f"{', '.join(f'value_{at}' for at in range(len(names)))}, = values")
    lines.append("made = new()" if has_twin else "made = new(cls)")
    for at, (name, convert) in enumerate(zip(names, converted, strict=True)):
        value = f"convert_{at}(value_{at})" if convert else f"value_{at}"
        lines.append(f"made.{name} = {value}" if has_twin else f"store(made, {name!r}, {value})")
    if has_twin:
        lines.append("made.__class__ = cls")
    lines.append("return made")
    return compile("\n    ".join(lines), "<record>", "exec")
