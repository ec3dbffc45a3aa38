"""The typed configuration: what it refuses, what modules get, its JSON form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from marine_runtime import ConfigError, ModuleConfig, ServiceConfig
from marine_runtime.config.model import ALL_TARGETS

FULL = ServiceConfig(
    2**40,
    {
        "storage": ModuleConfig(
            False, -(2**31), {"curl": "/usr/bin/curl"}, {"MODE": "tést=\n", "EMPTY": ""}, {"s": "/s"}
        ),
        "a b": ModuleConfig(),
    },
    {"ALL": "1"},
    "the id",
)


def test_a_configuration_has_defaults() -> None:
    module = ServiceConfig().module("any")
    assert module == ModuleConfig()
    assert (module.logger_enabled, module.logging_mask) == (True, ALL_TARGETS)
    assert module.mounted_binaries == module.envs == module.mapped_dirs == {}
    assert ServiceConfig().total_memory_limit is None


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("logger_enabled", 1, "`logger_enabled` must be a boolean, not an integer"),
        ("logger_enabled", None, "`logger_enabled` must be a boolean, not nothing"),
        ("logging_mask", "6", "`logging_mask` must be an integer, not a string"),
        ("logging_mask", True, "`logging_mask` must be an integer, not a boolean"),
        ("logging_mask", 2**31, "`logging_mask` must be from -2147483648 to 2147483647"),
        ("logging_mask", -(2**31) - 1, "`logging_mask` must be from -2147483648 to 2147483647"),
        ("mounted_binaries", [], "`mounted_binaries` must be a table, not an array"),
        ("mounted_binaries", {"curl": 7}, "`mounted_binaries`: the path of `curl` must be a string, not an integer"),
        ("mounted_binaries", {"": "/x"}, "`mounted_binaries`: a name must not be empty"),
        ("mounted_binaries", {"a": ""}, "`mounted_binaries`: the path of `a` must not be empty"),
        ("envs", {"A": 1.5}, "`envs`: the value of `A` must be a string, not a float"),
        ("envs", {"A": "\0"}, "`envs`: the value of `A` must not contain a NUL character"),
        ("envs", {"A": "\ud800"}, "`envs`: the value of `A` must not contain a lone surrogate"),
        ("envs", {"A=B": "x"}, "`envs`: the name `A=B` must not contain `=`"),
        ("envs", {7: "x"}, "`envs`: a name must be a string, not an integer"),
        ("mapped_dirs", "x", "`mapped_dirs` must be a table, not a string"),
        ("mapped_dirs", {"a": "x\0"}, "`mapped_dirs`: the path of `a` must not contain a NUL character"),
        ("mapped_dirs", {"a": b"x"}, "`mapped_dirs`: the path of `a` must be a string, not bytes"),
    ],
)
def test_modules_refuse(field: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ModuleConfig(**{field: value})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("total_memory_limit", -1, "`total_memory_limit` must not be negative"),
        ("total_memory_limit", 2**64, "`total_memory_limit` must be less than 2^64 bytes"),
        ("total_memory_limit", "1 MiB", "`total_memory_limit` must be an integer or None, not a string"),
        ("total_memory_limit", False, "`total_memory_limit` must be an integer or None, not a boolean"),
        ("modules", [], "`modules` must be a table, not an array"),
        ("modules", {"": ModuleConfig()}, "a module name must not be empty"),
        ("modules", {"m": {}}, "`modules`: settings of `m` must be a ModuleConfig, not a table"),
        ("envs", {"": "x"}, "`envs`: a name must not be empty"),
        ("service_id", 7, "`service_id` must be a string, not an integer"),
    ],
)
def test_services_refuse(field: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServiceConfig(**{field: value})
    assert str(caught.value) == message


def test_later_changes_of_a_mapping_change_nothing() -> None:
    envs, modules = {"A": "1"}, {"m": ModuleConfig()}
    module, service = ModuleConfig(envs=envs), ServiceConfig(modules=modules)
    envs["B"] = modules["n"] = None  # type: ignore[assignment]
    assert module.envs == {"A": "1"}
    assert list(service.modules) == ["m"]


def test_environment_of_the_service_goes_before_that_of_a_module() -> None:
    own = ModuleConfig(envs={"A": "module", "B": "module", "service_id": "module"})
    config = ServiceConfig(modules={"m": own}, envs={"B": "service", "service_id": "envs"}, service_id="7")
    assert config.module("m").envs == {"A": "module", "B": "service", "service_id": "7"}
    assert config.module("other").envs == {"B": "service", "service_id": "7"}
    assert own.envs["service_id"] == "module"
    assert ServiceConfig(modules={"m": own}).module("m") is own


@pytest.mark.parametrize("config", [ServiceConfig(), FULL], ids=["default", "full"])
def test_json_round_trip(config: ServiceConfig) -> None:
    again = ServiceConfig.from_json(json.loads(json.dumps(config.to_json())))
    assert again == config
    assert list(again.modules) == list(config.modules)


@pytest.mark.parametrize(
    ("document", "limit"), [({}, None), ({"total_memory_limit": "10 MiB"}, 10485760), ({"total_memory_limit": 7}, 7)]
)
def test_what_earlier_versions_kept_is_read(document: Any, limit: int | None) -> None:
    assert ServiceConfig.from_json(document) == ServiceConfig(limit)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "the configuration must be a table, not an array"),
        ({"moduels": {}}, "the configuration: unknown key `moduels`; did you mean `modules`?"),
        ({"modules": 7}, "`modules` must be a table, not an integer"),
        ({"modules": {"m": 7}}, "module `m` must be a table, not an integer"),
        ({"modules": {"m": {"env": {}}}}, "module `m`: unknown key `env`; did you mean `envs`?"),
        ({"modules": {"m": {"logging_mask": "x"}}}, "`logging_mask` must be an integer, not a string"),
        ({"total_memory_limit": "x"}, "`total_memory_limit` must be a number of bytes"),
    ],
)
def test_wrong_documents(document: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServiceConfig.from_json(document)
    assert str(caught.value).startswith(message)
