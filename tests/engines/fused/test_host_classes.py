"""Host functions over classes of the user, on every engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from marine_gen.generate import Member, Named, RecordDeclaration, Vector
from marine_runtime.types import Prim
from marine_runtime.values.annotations import U32
from tests.support.echo import function
from tests.support.engines import load, shown
from tests.support.host_calls import calling

ENGINES = ("interpreter", "closures", "fused")


@dataclass
class Point:
    """A class that looks at what it is given."""

    x: U32
    y: U32

    def __post_init__(self) -> None:
        made.append(self)
        if self.x == 13:
            raise ValueError("unlucky")


made: list[Point] = []


def test_classes_of_the_user_are_made_by_their_constructors() -> None:
    """Once each; their instances are results, and so are those of classes that have become something else."""

    @dataclass
    class Other:
        x: int
        y: int

    def mirror(points: list[Point]) -> list[Point]:
        assert all(type(point) is Point for point in points)
        other: Any = Other(5, 6)
        return [*(Point(point.y, point.x) for point in points), other]

    declared = RecordDeclaration("Point", (Member("x", Prim.U32), Member("y", Prim.U32)))
    module = calling(function("f", Vector(Named("Point"))), (declared,))
    for engine in ENGINES:
        with load({"m": module}, engine, "fast", host_functions={"callback": mirror}) as service:
            made.clear()
            assert shown(service.call("m", "f", [[(1, 2)]])) == shown([(2, 1), (5, 6)])
            assert len(made) == 2
            made.clear()
            with pytest.raises(ValueError, match="unlucky"):
                service.call("m", "f", [[(1, 2), (13, 2)]])
            assert len(made) == 2
