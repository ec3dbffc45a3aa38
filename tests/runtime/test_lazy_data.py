"""Dataclasses that are cheap to define: the same in use as those of `dataclasses`."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from marine_runtime.lazy import data


def define(dataclass: Any, field: Any) -> tuple[type, ...]:
    """The same classes, by either decorator."""

    @dataclass(frozen=True, slots=True)
    class Frozen:
        """Text."""

        number: int
        text: str = "a"
        table: Mapping[str, int] = field(default_factory=dict)
        KIND: ClassVar[int] = 3

    @dataclass(slots=True)
    class Mutable:
        """Text."""

        number: int

    @dataclass(frozen=True, slots=True)
    class Derived(Frozen):
        """Text."""

        more: float = 1.5

    @dataclass(frozen=True)
    class Checked:
        """Text."""

        number: int = 1

        def __post_init__(self) -> None:
            if self.number < 0:
                raise ValueError("negative")

    @dataclass(frozen=True, slots=True)
    class Empty:
        """Text."""

    return Frozen, Mutable, Derived, Checked, Empty


OURS, THEIRS = define(data._dataclass, data._field), define(dataclasses.dataclass, dataclasses.field)


@pytest.mark.parametrize(("ours", "theirs"), [*zip(OURS, THEIRS, strict=True)], ids=lambda cls: cls.__name__)
def test_classes_look_the_same(ours: Any, theirs: Any) -> None:
    assert dataclasses.is_dataclass(ours)
    assert str(inspect.signature(ours)) == str(inspect.signature(theirs))
    described = [
        [(item.name, item.type, item.default, item.default_factory, item.init) for item in dataclasses.fields(cls)]
        for cls in (ours, theirs)
    ]
    assert described[0] == described[1]
    assert ours.__match_args__ == theirs.__match_args__
    assert (ours.__doc__, ours.__qualname__, ours.__hash__ is None) == (
        theirs.__doc__,
        theirs.__qualname__,
        theirs.__hash__ is None,
    )
    assert hasattr(ours, "__slots__") == hasattr(theirs, "__slots__")


ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1,), {}),
    ((1, "b"), {}),
    ((1,), {"text": "c", "table": {"a": 1}}),
    ((1,), {"more": 2.5}),
    ((-1,), {}),
    ((1, 2, 3, 4, 5), {}),
    ((), {"unknown": 1}),
]


def outcome(cls: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """The behaviour of an instance, or the refusal to make one."""
    try:
        made = cls(*arguments, **keywords)
    except (TypeError, ValueError) as error:
        return type(error), str(error).replace(cls.__qualname__, "")
    try:
        hashed = hash(made) == hash(cls(*arguments, **keywords))
    except TypeError as error:
        hashed = str(error)
    found = [repr(made), made == cls(*arguments, **keywords), made == object(), hashed, dataclasses.asdict(made)]
    found += [copy.copy(made) == made, copy.deepcopy(made) == made, dataclasses.replace(made) == made]
    found += [data._replace(made) == made]
    if dataclasses.fields(cls):
        try:
            made.number = 7
            found.append(repr(made))
        except AttributeError as error:
            found.append((type(error), str(error)))
    return found


@pytest.mark.parametrize(("arguments", "keywords"), ARGUMENTS)
def test_instances_do_the_same(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    for ours, theirs in zip(OURS, THEIRS, strict=True):
        assert outcome(ours, arguments, keywords) == outcome(theirs, arguments, keywords), ours


def test_frozen_instances_refuse_changes() -> None:
    item = OURS[0](1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'number'"):
        item.number = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'number'"):
        del item.number


def test_defaults_are_made_for_each_instance() -> None:
    one, other = OURS[0](1), OURS[0](1)
    assert one.table == {}
    assert one.table is not other.table


def test_instances_are_pickled() -> None:
    from marine_runtime.types import Field, Prim

    item = Field("name", Prim.U8)
    assert pickle.loads(pickle.dumps(item)) == item


def test_others_may_derive_dataclasses() -> None:
    @dataclasses.dataclass(frozen=True)
    class Other(OURS[0]):  # type: ignore[misc,name-defined]
        last: int = 0

    assert Other(1, last=2) == Other(1, "a", {}, 2)
    with pytest.raises(TypeError, match="cannot inherit non-frozen dataclass from a frozen one"):
        dataclasses.dataclass(type("Wrong", (OURS[0],), {}))
