"""Making components: what tools read in them, what is left out, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import marine_gen
from marine_gen import MarineWarning
from marine_gen.component_backend import ComponentError
from marine_runtime import ArgumentError, PythonModule
from tests.guests.kit_guests import kit_guest
from tests.support.components import ComponentService, made, wit_of
from tests.support.engines import guest, guests

TREES = ("tree", "keep_tree", "kept_tree")


@pytest.mark.parametrize(
    "modules",
    [
        guests("greeting"),
        guests("greeting_record"),
        guests("records_passing_effector", "records_passing_pure"),
        guests("arrays_passing_effector", "arrays_passing_pure"),
        {name: kit_guest(name) for name in ("everything", "relay")},
    ],
    ids=lambda modules: [*modules][-1],
)
def test_components_are_valid_and_the_wit_is_what_tools_read(modules: dict[str, bytes]) -> None:
    component = made(modules)
    assert wit_of(component.wasm) == component.wit


def test_output_is_deterministic() -> None:
    modules = guests("arrays_passing_effector", "arrays_passing_pure")
    assert made(modules).wasm == made(modules).wasm


def test_a_built_directory_is_a_target(tmp_path: Path) -> None:
    (tmp_path / "greeting.wasm").write_bytes(guest("greeting"))
    marine_gen.build(tmp_path / "greeting.wasm", tmp_path / "built", native=False)
    one = marine_gen.component(tmp_path / "built")
    assert one.wasm == marine_gen.component(tmp_path / "greeting.wasm", tmp_path / "out.wasm").wasm
    assert (tmp_path / "out.wasm").read_bytes() == one.wasm
    assert one.exports == "marine:greeting/greeting"


def test_functions_with_recursive_records_are_left_out() -> None:
    with pytest.warns(MarineWarning, match="`Tree` contains itself") as warned:
        component = marine_gen.component({"everything": kit_guest("everything")})
    assert [str(item.message).split("`")[1] for item in warned] == [*TREES]
    service = ComponentService(component)
    assert [service.function(name) for name in TREES] == [None] * 3
    with pytest.raises(ComponentError, match="`keep_tree` is left out"):
        marine_gen.component({"everything": kit_guest("everything")}, strict=True)


def test_what_can_not_be_a_component() -> None:
    python = PythonModule("helper", {})
    with pytest.raises(ComponentError, match=r"has no Python modules, and this service has `helper`"):
        marine_gen.component({"helper": python, "greeting": guest("greeting")})
    with pytest.raises(ComponentError, match="--package"):
        marine_gen.component({"1": guest("greeting")})
    with pytest.raises(ComponentError, match="the module `1` has no name"):
        marine_gen.component({"1": guest("greeting")}, package="a:b")
    with pytest.raises(ArgumentError, match="not 'file'"):
        marine_gen.component({"greeting": guest("greeting")}, logger="file")


def test_calls_free_what_they_staged() -> None:
    service = ComponentService(made(guests("greeting")))
    name = "x" * 100_000
    for _ in range(400):  # 80 MB in all
        assert service.call("greeting", [name]) == f"Hi, {name}"
