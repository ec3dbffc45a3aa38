"""Directives of `WASM_LOG`, and the environment that they make for a module."""

from __future__ import annotations

import pytest

from marine_runtime.config.log_levels import Directives, effective_envs, parse_directives
from marine_runtime.config.model import ModuleConfig, ServiceConfig


@pytest.mark.parametrize(
    ("text", "default", "modules"),
    [
        ("", None, {}),
        (" , ,", None, {}),
        ("info", "INFO", {}),
        ("Off", "off", {}),
        ("curl", None, {"curl": "TRACE"}),
        ("curl=", None, {"curl": "TRACE"}),
        ("curl= Warn ,error", "ERROR", {"curl": "WARN"}),
        (" curl =debug", None, {" curl ": "DEBUG"}),
        ("5", None, {"5": "TRACE"}),
        ("a=info,a=error", None, {"a": "ERROR"}),
    ],
)
def test_directives_are_read(text: str, default: str | None, modules: dict[str, str]) -> None:
    assert parse_directives(text) == Directives(default, modules)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("info,debug", "a second level for all modules, 'debug'"),
        ("a=loud", "'a=loud': 'loud' is not a level (error, warn, info, debug, trace, off)"),
        ("a=b=c", "'a=b=c': more than one `=`"),
    ],
)
def test_ignored_directives(text: str, problem: str) -> None:
    found = parse_directives(text)
    assert found.problems == (problem,)
    assert (found.default, found.modules) == (("INFO", {}) if text.startswith("info") else (None, {}))


CONFIG = ServiceConfig(modules={"set": ModuleConfig(envs={"WASM_LOG": "WARN", "A": "1"})})


@pytest.mark.parametrize(
    ("log", "name", "envs"),
    [
        (None, "set", {"A": "1", "WASM_LOG": "WARN"}),
        (None, "free", {}),
        ("debug", "set", {"A": "1", "WASM_LOG": "WARN"}),
        ("debug", "free", {"WASM_LOG": "DEBUG"}),
        ("set=trace,debug", "set", {"A": "1", "WASM_LOG": "TRACE"}),
        ("free=off,debug", "free", {"WASM_LOG": "off"}),
    ],
)
def test_environments(log: str | None, name: str, envs: dict[str, str]) -> None:
    environ = {"HOME": "/"} | ({} if log is None else {"WASM_LOG": log})
    assert effective_envs(CONFIG, name, environ) == envs
    assert CONFIG.module("set").envs["WASM_LOG"] == "WARN"
