"""Records, however they were made: slots, copies, pickles, weak references, subclasses."""

import copy
import dataclasses
import pickle
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from marine_runtime.types import Field, Prim, Record, RecordType
from marine_runtime.values import instances
from marine_runtime.values.coerce import coerce
from marine_runtime.values.instances import RecordBase, instance_maker, twin
from marine_runtime.values.records import make_record_classes, to_public


@dataclasses.dataclass(frozen=True)
class Spelled(RecordBase):
    """A record class as a generated package spells it."""

    __slots__ = ("name", "age")  # noqa: RUF023 - in the order of the fields
    __marine_fields__ = ("name", "age")

    name: str
    age: int


class Plain(Spelled):
    pass


@dataclasses.dataclass(frozen=True)
class Longer(Spelled):
    more: int = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted(Spelled):
    more: int = 3


RECORDS = {
    0: RecordType("Made", (Field("name", Prim.STRING), Field("age", Prim.U32))),
    1: RecordType("Empty", ()),
    2: RecordType("Outer", (Field("inner", Record(0)),)),
}
CLASSES = make_record_classes(RECORDS, __name__)
Made, Empty, Outer = CLASSES.values()
for _cls in CLASSES.values():
    _cls.__module__ = __name__  # where pickle finds them
VALUES: dict[type, tuple[Any, ...]] = {Spelled: ("a", 1), Made: ("a", 1), Empty: (), Outer: (Made("a", 1),)}


@pytest.fixture(params=["twin", "no twin"])
def maker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[type], Any]:
    """Instances that `instance_maker` makes, with a cheap change of class and as a free-threaded Python does it."""
    monkeypatch.setattr(instances, "_CLASS_CHANGES_ARE_CHEAP", request.param == "twin")
    return lambda cls: instance_maker(cls)(VALUES[cls])


@pytest.mark.parametrize("cls", VALUES)
def test_instances_are_whole(cls: type, maker: Callable[[type], Any]) -> None:
    record, same = maker(cls), cls(*VALUES[cls])
    assert type(record) is cls
    assert record == same == copy.copy(record) == copy.deepcopy(record) == dataclasses.replace(record)
    assert hash(record) == hash(same)
    assert repr(record) == repr(same)
    assert weakref.ref(record)() is record
    assert not hasattr(record, "__dict__")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps(record, protocol))
        assert type(back) is cls
        assert back == record


@pytest.mark.parametrize("cls", VALUES)
def test_instances_are_frozen(cls: type, maker: Callable[[type], Any]) -> None:
    record = maker(cls)
    for name in (*(item.name for item in dataclasses.fields(cls)), "unknown"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, name, 1)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(record, name)
    with pytest.raises(AttributeError):
        object.__setattr__(record, "unknown", 1)


def test_instances_match_and_are_replaced(maker: Callable[[type], Any]) -> None:
    match maker(Spelled):
        case Spelled("a", age=1) as record:
            assert dataclasses.replace(record, age=2) == Spelled("a", 2)
            if sys.version_info >= (3, 13):
                assert copy.replace(record, age=2) == Spelled("a", 2)
        case other:
            pytest.fail(f"no match: {other}")


@pytest.mark.parametrize("cls", [Plain, Longer, Slotted])
def test_subclasses(cls: type) -> None:
    record = cls("a", 1)
    assert copy.deepcopy(record) == pickle.loads(pickle.dumps(record)) == dataclasses.replace(record) == record
    assert weakref.ref(record)() is record
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.age = 2
    assert coerce(record, Record(0), RECORDS) == ("a", 1)
    assert instance_maker(cls)([getattr(record, item.name) for item in dataclasses.fields(cls)]) == record


def test_attributes_of_a_subclass_are_copied_and_pickled() -> None:
    record: Any = Plain("a", 1)
    object.__setattr__(record, "note", 5)
    assert copy.copy(record).note == pickle.loads(pickle.dumps(record)).note == 5


def test_pickles_of_records_without_slots_are_read() -> None:
    record = Spelled.__new__(Spelled)
    record.__setstate__({"name": "a", "age": 1})
    assert record == Spelled("a", 1)


def test_twins_are_for_record_classes_alone() -> None:
    @dataclasses.dataclass(frozen=True)
    class Other:
        name: str
        age: int

    assert twin(Other) is None
    assert twin(Plain) is None
    assert twin(Spelled) is twin(Spelled)
    assert instance_maker(Other)(("a", 1)) == Other("a", 1)


def test_values_are_converted_on_the_way() -> None:
    convert = to_public(Record(2), RECORDS, CLASSES)
    assert convert is not None
    assert convert((("a", 1),)) == Outer(Made("a", 1))
