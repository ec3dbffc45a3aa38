"""Host functions from a `ServiceHost`: names and namespaces, types by annotation or given, what it refuses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from marine_runtime import (
    U32,
    ArgumentError,
    Array,
    Field,
    HostFunction,
    LinkError,
    Prim,
    RecordType,
    Service,
    ServiceHost,
)
from marine_runtime.abi.host_api import HOST_NAMESPACES
from marine_runtime.pool import ServicePool
from tests.support.echo import function
from tests.support.engines import Configuration, guests
from tests.support.host_calls import calling
from tests.support.pools import factory, until

pytestmark = pytest.mark.host_side

Serve = Callable[..., Service]

TEXT = function("f", Prim.STRING)


def modules(name: str = "callback") -> dict[str, bytes]:
    """A module for each host namespace and one for `env`, which all import `name`."""
    return {space: calling(TEXT, (), space, name) for space in (*HOST_NAMESPACES, "env")}


def test_a_name_is_in_all_host_namespaces_and_a_pair_in_one(serve: Serve) -> None:
    host = ServiceHost()

    @host.function
    def callback(text: str) -> str:
        return text + " everywhere"

    @host.function(namespace="host")
    def callback(text: str) -> str:  # noqa: F811 - the same name in another namespace
        return text + " host"

    @host.function(name="callback", namespace="env")
    def other(text: str) -> str:
        return text + " env"

    assert repr(host) == "<ServiceHost: callback, host.callback, env.callback>"
    service = serve(modules(), host_functions=host)
    found = {name: service.call(name, "f", ["x"]) for name in service.modules}
    assert found == dict.fromkeys(HOST_NAMESPACES, "x everywhere") | {"host": "x host", "env": "x env"}
    assert other("y") == "y env"


def test_types_may_be_given(serve: Serve) -> None:
    host = ServiceHost()
    pair = RecordType("Pair", (Field("a", Prim.S64), Field("b", Prim.STRING)))

    @host.function(name="one", params=[("pairs", Array(pair))], result=pair)
    def first(pairs):
        return pairs[0]

    @host.function(params=[], result=None)
    def nothing():
        seen.append("nothing")

    @host.function(result=Prim.U32)
    def seven():
        return 7

    seen: list[str] = []
    assert (str(first.type), str(nothing.type), str(seven.type)) == (
        "(pairs: array (record 0)) -> record 0",
        "()",
        "() -> u32",
    )
    service = serve({"m": calling(function("f", result=Prim.U32), name="seven")}, host_functions=host)
    assert service.call("m", "f") == 7
    service = serve({"m": calling(function("f"), name="nothing")}, host_functions=host)
    assert service.call("m", "f") is None
    assert seen == ["nothing"]


def test_one_function_under_several_names(serve: Serve) -> None:
    host = ServiceHost()

    @host.function
    @host.function(name="callback")
    def shout(text: str) -> str:
        return text.upper()

    joined = host.function(name="joined", params=[Array(Prim.STRING)], result=Prim.STRING)(
        functools.partial(str.join, "-")
    )
    assert joined(["a", "b"]) == "a-b"
    assert dict(host.items()).keys() == {"callback", "shout", "joined"}
    for name in ("callback", "shout"):
        assert serve({"m": calling(TEXT, name=name)}, host_functions=host).call("m", "f", ["x"]) == "X"


def test_it_goes_before_what_the_runtime_provides(serve: Serve) -> None:
    host = ServiceHost()
    seen: list[tuple[Any, ...]] = []

    @host.function(params=[Prim.S32, Prim.S32, Prim.STRING])
    def log_utf8_string(*args: Any) -> None:
        seen.append(args)

    serve(guests("logger"), host_functions=host).call("logger", "log_line", [3, 0, "hello"])
    assert seen == [(3, 0, "hello")]


def test_a_service_with_a_host_that_lacks_a_function(serve: Serve) -> None:
    host = ServiceHost()
    assert repr(host) == "<ServiceHost: nothing>"
    with pytest.raises(LinkError, match=r"imports `host.callback`, and nothing provides it"):
        serve({"m": calling(TEXT)}, host_functions=host)


def test_pools_take_one(configuration: Configuration) -> None:
    host = ServiceHost()

    @host.function
    def nap(number: U32) -> None:
        seen.append(number)

    @host.function
    def hold(number: U32) -> None: ...

    @host.function
    def die(number: U32) -> None: ...

    @host.function
    def blow(number: U32) -> None: ...

    seen: list[int] = []
    with ServicePool(factory(configuration), workers=1, kind="threads", host_functions=host) as pool:
        assert pool.call("lab", "nap", [5]) == 5
        until(lambda: seen == [5])


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({}, lambda text: text, "host function '<lambda>': parameter `text` of `"),
        ({}, "curl", "a host function must be callable, not str; write for example name='curl'"),
        ({}, functools.partial(print), "a host function of type partial has no name of its own; give one"),
        ({"name": 7}, print, "host functions must have names, or pairs of a namespace and a name, not 7"),
        (
            {"namespace": b"env"},
            print,
            "host functions must have names, or pairs of a namespace and a name, not (b'env', ",
        ),
        ({"result": Prim.U8}, HostFunction.of(print), "host function 'print' already has types; give them once"),
        ({"params": [], "name": "taken"}, print, "the host function 'taken' is already registered"),
    ],
)
def test_refused(options: dict[str, Any], given: Any, message: str) -> None:
    host = ServiceHost()
    host.function(name="taken")(HostFunction.of(print))
    with pytest.raises(ArgumentError) as caught:
        host.function(**options)(given) if options else host.function(given)
    assert str(caught.value).startswith(message)
    assert list(dict(host.items())) == ["taken"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([print], "host functions must be a mapping or a ServiceHost, not list"),
        (ServiceHost, "host functions must be a mapping or a ServiceHost, not type"),
        ({7: print}, "host functions must have names, or pairs of a namespace and a name, not 7"),
        (
            {("a", "b", 1): print},
            "host functions must have names, or pairs of a namespace and a name, not ('a', 'b', 1)",
        ),
    ],
)
def test_mappings_that_are_refused(serve: Serve, given: Any, message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        serve({"m": calling(TEXT)}, host_functions=given)
    assert str(caught.value) == message
