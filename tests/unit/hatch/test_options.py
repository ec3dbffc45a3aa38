"""The build hook's table: what is read, and what is said about mistakes."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

from marine_gen.artifact import BUILT_ENGINES
from marine_gen.hatch.options import HookOptions, ServiceOptions, read_options
from marine_runtime import ConfigError

SERVICE = {"config": "service/Config.toml", "package": "src/app/api"}


def test_a_table_with_everything() -> None:
    table = {
        "native": True,
        "services": [SERVICE, {"config": "x.wasm", "package": "app/other", "engine": "closures"}],
        "dependencies": [],
        "enable-by-default": True,
    }
    assert read_options(table) == HookOptions(
        (
            ServiceOptions("service/Config.toml", PurePosixPath("src/app/api"), BUILT_ENGINES[0]),
            ServiceOptions("x.wasm", PurePosixPath("app/other"), "closures"),
        ),
        native=True,
    )
    assert not read_options({"services": [SERVICE]}).native


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "`services` must be an array of at least one table, such as { config = …, package = … }"),
        ({"services": []}, "`services` must be an array of at least one table, such as { config = …, package = … }"),
        (
            {"services": SERVICE},
            "`services` must be an array of at least one table, such as { config = …, package = … }",
        ),
        (
            {"service": [SERVICE]},
            "the table has an unknown key `service`; did you mean `services`?; "
            "available: `native`, `services`, `strict`",
        ),
        ({"services": [SERVICE], "native": "yes"}, "`native` must be true or false, not 'yes'"),
        ({"services": ["x"]}, "service 1 must be a table, not 'x'"),
        ({"services": [SERVICE, {"package": "x"}]}, "service 2 has no `config`"),
        ({"services": [{"config": "x"}]}, "service 1 has no `package`"),
        (
            {"services": [{**SERVICE, "packge": "x"}]},
            "service 1 has an unknown key `packge`; did you mean `package`?; available: `config`, `engine`, `package`",
        ),
        ({"services": [{**SERVICE, "config": 7}]}, "service 1: `config` must be a non-empty string, not 7"),
        ({"services": [{**SERVICE, "config": ""}]}, "service 1: `config` must be a non-empty string, not ''"),
        (
            {"services": [{**SERVICE, "engine": "fuse"}]},
            "service 1: `fuse` is not an engine; did you mean `fused`?; choose fused, closures",
        ),
        (
            {"services": [SERVICE, {**SERVICE, "package": "src/app/api/inner"}]},
            "the package directories `src/app/api` and `src/app/api/inner` overlap",
        ),
        ({"services": [SERVICE, SERVICE]}, "the package directories `src/app/api` and `src/app/api` overlap"),
        (
            {"services": [{**SERVICE, "package": "src/my-api"}]},
            "service 1: `package` ends with `my-api`, which can't be imported",
        ),
        (
            {"services": [{**SERVICE, "package": "src/class"}]},
            "service 1: `package` ends with `class`, which can't be imported",
        ),
        *(
            (
                {"services": [{**SERVICE, "package": package}]},
                f"service 1: `package` must be a directory of the project, such as `src/app/api`, not `{package}`",
            )
            for package in ("/app/api", "../api", "app/../../api", ".", "app/*/api", "app/[x]/api", "app\\api", "!app")
        ),
    ],
)
def test_mistakes_are_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_options(table)
    assert str(caught.value) == message
