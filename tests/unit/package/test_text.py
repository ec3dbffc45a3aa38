"""The text of generated packages, and that it depends on nothing but its input."""

from __future__ import annotations

import ast

import pytest

from marine_gen.artifact import compile_module
from marine_gen.package import Package, generate_package
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
