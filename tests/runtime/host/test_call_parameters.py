"""Call parameters: every layout, shared by the modules of a service for one call, gone afterwards."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from marine_gen.generate import Description, Named
from marine_runtime import (
    ArgumentError,
    CallParameters,
    ParticleParameters,
    SecurityTetraplet,
    Service,
    ServiceConfig,
    StateError,
)
from marine_runtime.abi.host_api import HOST_NAMESPACES
from marine_runtime.host.call_parameters import LAYOUTS
from marine_runtime.types import Prim
from tests.support.echo import Memory, chain, echo_module, function
from tests.support.engines import guests, shown
from tests.support.host_calls import calling, declarations

pytestmark = pytest.mark.host_side

Serve = Callable[..., Service]

PARTICLE = ParticleParameters("id", "init", 2**64 - 1, 2**32 - 1, "script", b"\0\xff", "token")
TETRAPLETS = [[SecurityTetraplet("pk", "srv", "fun", "$.lens")], []]
PARAMETERS = CallParameters(PARTICLE, "service", "creator", "host", "worker", TETRAPLETS)

LAYOUT_VALUES: dict[str, Any] = {
    "host": ("init", "service", "creator", "host", "id", [[("pk", "srv", "fun", "$.lens")], []]),
    "__marine_host_api_v1": (
        *("init", "service", "creator", "host", "worker", "id"),
        [[("pk", "srv", "fun", "$.lens")], []],
    ),
}
NEWEST = (
    ("id", "init", 2**64 - 1, 2**32 - 1, "script", b"\0\xff", "token"),
    *("service", "creator", "host", "worker"),
    [[("pk", "srv", "fun", "$.lens")], []],
)
DEFAULTS = (("", "", 0, 0, "", b"", ""), "", "", "", "", [])


def asking(namespace: str) -> bytes:
    """A module whose function `f` returns the call parameters in the layout of one host API version."""
    records = declarations(LAYOUTS[namespace])
    return calling(function("f", result=Named("CallParameters")), records, namespace, "get_call_parameters")


@pytest.mark.parametrize("namespace", HOST_NAMESPACES)
def test_layouts_follow_the_namespace(serve: Serve, namespace: str) -> None:
    service = serve({"m": asking(namespace)})
    result = service.call("m", "f", call_parameters=PARAMETERS)
    assert shown(result) == shown(LAYOUT_VALUES.get(namespace, NEWEST))
    last = {"host": "json_path", "__marine_host_api_v1": "json_path", "__marine_host_api_v2": "lambda_"}
    assert getattr(result.tetraplets[0][0], last.get(namespace, "lens")) == "$.lens"


def test_every_way_to_call(serve: Serve) -> None:
    service = serve(guests("call_parameters"))
    name = "call_parameters"
    defaults = service.modules.call_parameters.call_parameters()
    assert shown(defaults) == shown(DEFAULTS)
    for _ in range(2):
        assert shown(service.call(name, name, call_parameters=PARAMETERS)) == shown(NEWEST)
        assert shown(service.call(name, name)) == shown(defaults)
        batch = service.call_batch(name, name, [(), {}], call_parameters=PARAMETERS)
        assert shown(batch) == shown([NEWEST, NEWEST])
        found = json.loads(service.call_json(name, name, "[]", call_parameters=PARAMETERS))
        assert found["particle"]["signature"] == [0, 255]
        assert found["tetraplets"] == [
            [{"peer_pk": "pk", "service_id": "srv", "function_name": "fun", "lens": "$.lens"}],
            [],
        ]
        assert shown(service.call_batch(name, name, [()])) == shown([defaults])
        assert shown(service.modules.call_parameters.call_parameters()) == shown(defaults)


def test_all_modules_see_the_same(serve: Serve) -> None:
    """An inner module, built for another version than the outer one, is reached through an import."""
    records = declarations(LAYOUTS["host"])
    signature = function("f", result=Named("CallParameters"))
    service = serve({"inner": asking("host"), "outer": chain([signature], records)["outer"]})
    assert shown(service.call("outer", "f", call_parameters=PARAMETERS)) == shown(LAYOUT_VALUES["host"])
    assert shown(service.call("outer", "f")) == shown(("", "", "", "", "", []))


def test_initialisers_see_the_defaults(serve: Serve) -> None:
    """They may ask, though no call has parameters yet; the variable `service_id` is another thing."""
    namespace = HOST_NAMESPACES[-1]
    records = declarations(LAYOUTS[namespace])
    kept = function("kept", result=Named("CallParameters"))
    module = echo_module(
        Description(records, (kept,)),
        Memory(),
        {"kept": "(global.set $ptr (global.get $kept))"},
        "(global $kept (mut i32) (i32.const 0))"
        '(func (export "_start") (call $host) (global.set $kept (global.get $ptr)))',
        f'(import "{namespace}" "get_call_parameters" (func $host))',
    )
    config = ServiceConfig(service_id="of the environment")
    service = serve({"m": module, "n": asking(namespace)}, config=config)
    assert shown(service.call("m", "kept", call_parameters=PARAMETERS)) == shown(DEFAULTS)
    assert service.call("n", "f", call_parameters=PARAMETERS).service_id == "service"
    assert service.call("n", "f").service_id == ""
    assert service.wasi["n"].envs["service_id"] == "of the environment"


def test_they_are_gone_after_a_failure(serve: Serve) -> None:
    def fail(text: str) -> str:
        raise LookupError(text)

    modules = {"m": asking("host"), "n": calling(function("f", Prim.STRING))}
    service = serve(modules, host_functions={"callback": fail})
    with pytest.raises(LookupError):
        service.call("n", "f", ["x"], call_parameters=PARAMETERS)
    assert service.call("m", "f").service_id == ""
    assert isinstance(service.call_batch("n", "f", [["x"]], call_parameters=PARAMETERS)[0], LookupError)
    with pytest.raises(ArgumentError):
        service.call_json("n", "f", "[1]", call_parameters=PARAMETERS)
    assert service.call("m", "f").service_id == ""


def test_refused_calls_do_not_change_them(serve: Serve) -> None:
    """Neither a call back into the busy service nor one from another thread reaches the running call's parameters."""
    services: list[Service] = []
    refused: list[Exception] = []

    def attempt() -> None:
        try:
            services[0].call("m", "f", call_parameters=CallParameters(service_id="other"))
        except StateError as error:
            refused.append(error)

    def callback(text: str) -> str:
        attempt()
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
        return text

    modules = {"m": asking("host"), "n": calling(function("f", Prim.STRING))}
    service = serve(modules, host_functions={"callback": callback})
    services.append(service)
    service.call("n", "f", ["x"], call_parameters=PARAMETERS)
    assert ["busy" in str(error) for error in refused] == [True, False]
    assert service.call("m", "f").service_id == ""
    services.clear()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"service_id": "x"}, "call_parameters must be CallParameters, not dict"),
        (CallParameters(service_id=1), "call_parameters.service_id: expected string, got int"),  # type: ignore[arg-type]
        (
            CallParameters(ParticleParameters(ttl=2**32)),
            "call_parameters.particle.ttl: expected u32, got 4294967296 (out of range 0..4294967295)",
        ),
        (
            CallParameters(tetraplets=[[SecurityTetraplet()], [3]]),  # type: ignore[list-item]
            "call_parameters.tetraplets[1][0]: expected SecurityTetraplet, got int",
        ),
    ],
)
def test_wrong_parameters(serve: Serve, parameters: Any, message: str) -> None:
    service = serve({"m": asking("host")})
    with pytest.raises(ArgumentError) as caught:
        service.call("m", "f", call_parameters=parameters)
    assert str(caught.value) == message
    assert service.call("m", "f").service_id == ""


def test_closed_services(serve: Serve) -> None:
    service = serve({"m": asking("host")})
    service.close()
    with pytest.raises(StateError, match="is closed"):
        service.call("m", "f", call_parameters=PARAMETERS)


def test_own_function_takes_precedence(serve: Serve) -> None:
    def get_call_parameters() -> str:
        return "mine"

    module = calling(function("f", result=Prim.STRING), (), "host", "get_call_parameters")
    service = serve({"m": module}, host_functions={"get_call_parameters": get_call_parameters})
    assert service.call("m", "f", call_parameters=PARAMETERS) == "mine"
