"""Annotations of host functions: what they stand for, and what is refused."""

# No `from __future__ import annotations`: records declared in the tests must be known when annotations are read.

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, List, Optional  # noqa: UP035 - old spellings are recognised too

import pytest

from marine_runtime import F32, S8, S16, S32, S64, U8, U16, U32, U64, ArgumentError, HostFunction, host_function
from marine_runtime.types import Array, Field, FunctionType, Prim, Record, RecordType


@dataclass
class Point:
    x: float
    y: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    label: str
    at: Point
    children: "list[Tree]"


@dataclass
class Empty:
    pass


@dataclass
class Computed:
    total: float = field(init=False, default=0)


@dataclass
class Left:
    many: "list[Right]"
    right: "Right"


@dataclass
class Right:
    left: "Left"


def test_annotations_of_scalars() -> None:
    @host_function
    def f(
        a: str, b: bytes, c: bool, d: float, e: F32, f: S8, g: S16, h: S32, i: S64, j: U8, k: U16, n: U32, o: U64
    ) -> None: ...

    wanted = [Prim.STRING, Prim.BYTE_ARRAY, Prim.BOOLEAN, Prim.F64, Prim.F32, Prim.S8, Prim.S16, Prim.S32, Prim.S64]
    wanted += [Prim.U8, Prim.U16, Prim.U32, Prim.U64]
    assert [param.type for param in f.type.params] == wanted
    assert [param.name for param in f.type.params] == list("abcdefghijkno")
    assert f.type.results == ()


def test_arrays_and_records() -> None:
    def f(trees: list[Tree], rows: List[list[S64]], data: Annotated[bytes, Prim.BYTE_ARRAY]) -> Point:  # noqa: UP006
        return Point(0)

    host = HostFunction.from_callable(f)
    assert host.type == FunctionType(
        (
            Field("trees", Array(Record(0))),
            Field("rows", Array(Array(Prim.S64))),
            Field("data", Prim.BYTE_ARRAY),
        ),
        (Record(1),),
    )
    assert host.records == {
        0: RecordType(
            "Tree",
            (Field("label", Prim.STRING), Field("at", Record(1)), Field("children", Array(Record(0)))),
        ),
        1: RecordType("Point", (Field("x", Prim.F64), Field("y", Prim.F64))),
    }
    assert host.classes == {0: Tree, 1: Point}


def test_a_decorated_function_can_still_be_called() -> None:
    @host_function
    def double(value: S32) -> S32:
        return value * 2

    assert double(21) == 42


class Thing:
    def method(self, text: str) -> str:
        return text

    def __call__(self, data: bytes) -> None: ...


def test_other_callables() -> None:
    def three(number: S32, text: str, flag: bool) -> None: ...

    assert str(HostFunction.from_callable(Thing().method).type) == "(text: string) -> string"
    assert str(HostFunction.from_callable(Thing()).type) == "(data: array (u8))"
    assert str(HostFunction.from_callable(functools.partial(three, 1)).type) == "(text: string, flag: bool)"


def refused(function: Callable[..., Any]) -> str:
    with pytest.raises(ArgumentError) as caught:
        HostFunction.from_callable(function)
    return str(caught.value).replace("refused_functions.<locals>.", "")


USABLE = "str, bytes, bool, float, an int with a width (S8 to U64), list[…] or a dataclass"


def refused_functions() -> list[tuple[Callable[..., Any], str]]:
    def number(x: int) -> None: ...
    def numbers() -> list[int]: ...  # type: ignore[empty-body]
    def missing(x) -> None: ...  # type: ignore[no-untyped-def]
    def no_result(x: str): ...  # type: ignore[no-untyped-def]
    def optional(x: Optional[str]) -> None: ...  # noqa: UP045
    def two() -> tuple[str, str]: ...  # type: ignore[empty-body]
    def mapping(x: dict[str, str]) -> None: ...
    def bare(x: list) -> None: ...  # type: ignore[type-arg]
    def octets(x: list[U8]) -> None: ...
    def variable(*x: str) -> None: ...
    def keyword(*, x: str) -> None: ...
    def wrong(x: Annotated[str, Prim.S32]) -> None: ...
    def several(x: Annotated[int, Prim.S32, Prim.S64]) -> None: ...
    def by_number(x: Annotated[Any, Array(Record(3))]) -> None: ...
    def empty(x: Empty) -> None: ...
    def computed(x: Computed) -> None: ...
    def endless(x: Left) -> None: ...
    def unknown(x: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    return [
        (number, "parameter `x` of `number`: int needs a width; use S8, S16, S32, S64, U8, U16, U32 or U64"),
        (numbers, "the result of `numbers`: int needs a width; use S8, S16, S32, S64, U8, U16, U32 or U64"),
        (missing, f"parameter `x` of `missing` has no annotation; use {USABLE}"),
        (no_result, "the result of `no_result` has no annotation; `-> None` declares none"),
        (
            optional,
            f"parameter `x` of `optional`: {Optional[str]} has no interface type; use {USABLE}",  # noqa: UP045
        ),
        (two, f"the result of `two`: tuple[str, str] has no interface type; use {USABLE}"),
        (mapping, f"parameter `x` of `mapping`: dict[str, str] has no interface type; use {USABLE}"),
        (bare, "parameter `x` of `bare`: list needs the type of its elements, as in list[str]"),
        (octets, "parameter `x` of `octets`: an array of u8 is bytes in Python; use bytes"),
        (variable, "parameter `x` of `variable` is not positional; modules pass a fixed number of arguments in order"),
        (keyword, "parameter `x` of `keyword` is not positional; modules pass a fixed number of arguments in order"),
        (wrong, "parameter `x` of `wrong`: values of s32 are int in Python"),
        (several, "parameter `x` of `several` has several interface types: s32, s64"),
        (
            by_number,
            "parameter `x` of `by_number`: record 3 refers to a record by its index in a module; use a dataclass",
        ),
        (empty, "`Empty` has no fields; a record has at least one"),
        (
            computed,
            "field `total` of `Computed` is not set by the constructor; records have plain fields only",
        ),
        (endless, "a record can contain itself only through a list: `Right` in `Left` in `Right`"),
        (
            unknown,
            "the annotations of `unknown` can't be resolved: name 'Nowhere' is not defined "
            "(names must be known at module level)",
        ),
    ]


@pytest.mark.parametrize(("function", "message"), refused_functions(), ids=lambda item: getattr(item, "__name__", ""))
def test_refused(function: Callable[..., Any], message: str) -> None:
    assert refused(function) == message


def test_functions_without_a_signature() -> None:
    assert refused(dict) == "`dict` has no signature that Python knows; give its types explicitly"
    assert refused(len) == f"parameter `obj` of `len` has no annotation; use {USABLE}"


def test_two_results_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"a host function has one result at most, not 2: \(\) -> s32, s32"):
        HostFunction(lambda: (1, 2), FunctionType((), (Prim.S32, Prim.S32)))
