"""The linker's own checks, for parts that no compiler has looked at together (docs/spec/linking.md)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from marine_gen.artifact import compile_module
from marine_gen.interpreter import InterpreterGlue
from marine_gen.links import check_links
from marine_runtime import LinkError, Service
from marine_runtime.linking.context import LinkableModule
from marine_runtime.wasm import open_runtime
from tests.support.engines import guests
from tests.support.troubles import modules


def parts(sources: Mapping[str, bytes], call_layer: str) -> list[LinkableModule]:
    compiled = [compile_module(name, wasm) for name, wasm in sources.items()]
    return [
        LinkableModule(item.plan, open_runtime(call_layer).compile(item.wasm), InterpreterGlue(item.ir))
        for item in compiled
    ]


@pytest.fixture(params=["fast", "public"])
def call_layer(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        ("missing_module", "module `outer` imports `iner.f`, but there is no module `iner`"),
        (
            "wrong_order",
            "module `outer` imports `inner.f`, but `inner` comes after it: list modules in dependency order",
        ),
        ("missing_function", "module `outer` imports `inner.g`, but module `inner` has no function `g`"),
        (
            "other_signature",
            "module `outer` imports `inner.f` as (p0: array (string)) -> array (string), "
            "but module `inner` exports `f` as (p0: string) -> string",
        ),
    ],
)
def test_modules_that_do_not_fit(call_layer: str, trouble: str, text: str) -> None:
    with pytest.raises(LinkError) as caught:
        Service(parts(modules(trouble), call_layer), open_runtime(call_layer))
    assert str(caught.value) == text


def test_two_modules_of_one_name(call_layer: str) -> None:
    twice = parts(guests("greeting"), call_layer) * 2
    with pytest.raises(LinkError) as caught:
        Service(twice, open_runtime(call_layer))
    assert str(caught.value) == "two modules are named `greeting`"
    assert [str(item) for item in check_links([part.plan for part in twice])] == [
        "error[MG405]: two modules are named `greeting`\n  --> greeting"
    ]


def test_names_of_records_do_not_matter(call_layer: str) -> None:
    """Records match by position and type; so do byte arrays and arrays of u8."""
    with Service(parts(guests("records_effector", "records_pure"), call_layer), open_runtime(call_layer)) as service:
        assert service.call("records_pure", "invoke")


def test_a_service_without_modules(call_layer: str) -> None:
    with Service([], open_runtime(call_layer)) as service:
        assert (list(service.modules), service.engine) == ([], "none")


def test_everything_that_does_not_fit_is_reported_at_once() -> None:
    plans = [
        compile_module(name, wasm).plan
        for trouble in ("missing_module", "missing_function")
        for name, wasm in modules(trouble).items()
        if name == "outer"
    ]
    assert [item.code.value for item in check_links(plans)] == ["MG603", "MG405", "MG603"]
