"""Host functions whose types are their annotations, called by guests."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from marine_gen.generate import Member, Named, RecordDeclaration, Vector
from marine_runtime import U16, ArgumentError, Service, host_function
from marine_runtime.types import Prim
from tests.support.echo import chain, function
from tests.support.engines import outcome, shown
from tests.support.host_calls import calling

pytestmark = pytest.mark.host_side

Serve = Callable[..., Service]

NODE = RecordDeclaration(
    "Node",
    (
        Member("id", Prim.U16),
        Member("tags", Vector(Prim.STRING)),
        Member("data", Vector(Prim.U8)),
        Member("below", Vector(Named("Node"))),
    ),
)


@dataclass(frozen=True, slots=True)
class Tree:
    """Another name than the guest's, slots, and a constructor that looks at what it gets."""

    number: U16
    tags: list[str]
    data: bytes
    below: list[Tree]

    def __post_init__(self) -> None:
        if "refuse" in self.tags:
            raise ValueError("refused by the class")


def test_records_are_instances_of_the_dataclass(serve: Serve) -> None:
    seen: list[Tree] = []

    @host_function
    def callback(trees: list[Tree]) -> list[Tree]:
        seen.extend(trees)
        return [Tree(9, ["root"], b"\0", trees)]

    signature = function("f", Vector(Named("Node")))
    service = serve({"m": calling(signature, (NODE,))}, host_functions={"callback": callback})
    leaf = (1, ["a"], b"\xff", [])
    result = service.call("m", "f", [[(2, [], b"", [leaf])]])
    assert seen == [Tree(2, [], b"", [Tree(1, ["a"], b"\xff", [])])]
    assert shown(result) == shown([(9, ["root"], b"\0", [(2, [], b"", [leaf])])])
    with pytest.raises(ValueError, match="refused by the class") as caught:
        service.call("m", "f", [[(2, ["refuse"], b"", [])]])
    assert "__post_init__" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert len(service.call("m", "f", [[leaf]])) == 1


def test_plain_functions_with_annotations(serve: Serve) -> None:
    def callback(text: str) -> str:
        return text.upper()

    service = serve({"m": calling(function("f", Prim.STRING))}, host_functions={"callback": callback})
    assert service.call("m", "f", ["é"]) == "É"


def test_a_result_that_does_not_fit(serve: Serve) -> None:
    @host_function
    def callback(number: U16) -> U16:
        return number + 1

    service = serve({"m": calling(function("f", Prim.U16))}, host_functions={"callback": callback})
    assert service.call("m", "f", [1]) == 2
    found = outcome(lambda: service.call("m", "f", [65535]))
    assert found.error[-1].endswith("that does not fit: expected u16, got 65536 (out of range 0..65535)")


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (3, "host function 'callback' must be a function, not int"),
        (print, "host function 'callback': parameter `args` of `print` is not positional"),
        (lambda text: text, "has no annotation"),
    ],
)
def test_what_is_no_host_function(serve: Serve, item: Any, message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        serve({"m": calling(function("f", Prim.STRING))}, host_functions={"callback": item})
    assert message in str(caught.value)


def first_of_a_batch(service: Service) -> Any:
    """A batch keeps what was raised in the place of the result."""
    (found,) = service.call_batch("outer", "f", [["x"]])
    raise found


WAYS: tuple[Callable[[Service], Any], ...] = (
    lambda service: service.call("outer", "f", ["x"]),
    lambda service: service.call("outer", "f", ["x"]),
    lambda service: service.call("outer", "f", {"p0": "x"}, timeout=10),
    lambda service: service.call_json("outer", "f", '["x"]'),
    lambda service: service.modules.outer.f("x"),
    first_of_a_batch,
)


def test_exceptions_keep_both_tracebacks(serve: Serve) -> None:
    """An exception of a host function shows where it was raised, its cause, and where the service was called."""

    def inner() -> None:
        raise KeyError("first")

    def callback(text: str) -> str:
        try:
            inner()
        except KeyError as error:
            raise RuntimeError("second") from error
        return text

    text = function("f", Prim.STRING)
    modules = {"inner": calling(text), "outer": chain([text])["outer"]}
    service = serve(modules, host_functions={"callback": callback})

    def caller(way: Callable[[Service], Any]) -> Any:
        return way(service)

    for way in WAYS:
        with pytest.raises(RuntimeError, match="second") as caught:
            caller(way)
        frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert frames[:2] == ["test_exceptions_keep_both_tracebacks", "caller"]
        assert frames[-1] == "callback"
        cause = caught.value.__cause__
        assert isinstance(cause, KeyError)
        assert [frame.name for frame in traceback.extract_tb(cause.__traceback__)] == ["callback", "inner"]
