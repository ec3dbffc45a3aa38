"""The text of generated packages, and that it depends on nothing but its input."""

from __future__ import annotations

import ast

import pytest

from marine_gen.artifact import compile_module
from marine_gen.package import Package, generate_package
from marine_gen.python_backend import Aliases
from tests.support.engines import guest
from tests.support.golden import GOLDEN, check_file

FOLDER = GOLDEN / "generated"


def generated(name: str, *modules: str) -> Package:
    return generate_package(name, [compile_module(item, guest(item)).plan for item in modules], generator="marine-gen")


def test_a_whole_package() -> None:
    package = generated("records", "records_effector", "records_pure", "records_passing_pure")
    check_file(FOLDER / "package.py.txt", package.init)
    check_file(FOLDER / "package_pool.py.txt", package.pool)
    check_file(FOLDER / "package_client.py.txt", package.client)


@pytest.mark.parametrize(
    ("service", "classes"),
    [
        ("curl_service", ["CurlService", "CurlServiceModules", "CurlServicePool"]),
        ("Curl", ["CurlService", "CurlServiceModules", "CurlServicePool"]),
        ("", ["Service", "ServiceModules", "ServicePool"]),
        ("a" * 61, ["MarineService", "MarineServiceModules", "MarineServicePool"]),
        ("2-way", ["_2WayService", "_2WayServiceModules", "_2WayServicePool"]),
        ("имя", ["Service", "ServiceModules", "ServicePool"]),
    ],
)
def test_classes_are_named_after_the_service(service: str, classes: list[str]) -> None:
    package = generated(service, "donkey")
    found = [
        item.name for text in (package.init, package.pool) for item in ast.parse(text).body if hasattr(item, "name")
    ]
    assert found == ["DonkeyModule", *classes[1::-1], classes[2]]


def test_every_class_that_hides_a_type_has_another_name_for_it() -> None:
    aliases = Aliases(["Point"])
    assert aliases.spell("list[str]", ["x"]) == "list[str]"
    assert aliases.spell("list[str]", ["str"]) == "list[_str]"
    assert aliases.spell("list[str]", ["str", "_str"]) == "list[_str_2]"
    assert aliases.spell("list[Point]", ["list", "Point"]) == "_list[_Point]"
    assert aliases.spell("str", ["str"]) == "_str"
    assert aliases.items() == [("Point", "_Point"), ("list", "_list"), ("str", "_str"), ("str", "_str_2")]
