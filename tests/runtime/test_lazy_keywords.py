"""Typed dictionaries without the work of `typing`."""

from __future__ import annotations

from marine_runtime.calls.options import CallOptions
from marine_runtime.lazy.keywords import Keywords
from marine_runtime.service.options import LoadOptions, RunOptions


class First(Keywords, total=False):
    """Some keys."""

    a: int
    b: str


class Second(First):
    """More of them; one is declared again."""

    c: bytes
    a: float


def test_annotations_are_those_of_all_keys() -> None:
    assert list(First.__annotations__.items()) == [("a", "int"), ("b", "str")]
    assert list(Second.__annotations__.items()) == [("a", "float"), ("b", "str"), ("c", "bytes")]
    assert not First.__total__
    assert Second.__total__


def test_values_are_dictionaries() -> None:
    assert CallOptions(timeout=1.0) == {"timeout": 1.0}
    assert RunOptions.__annotations__.items() < LoadOptions.__annotations__.items()
