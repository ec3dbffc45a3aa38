"""Types of the ways to give host functions: mypy reads a file that uses all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import marine_runtime
from tests.support.packages import CACHE

SOURCE = """
from collections.abc import Callable, Mapping
from typing import assert_type

import marine_runtime
from marine_runtime import HostFunction, Prim, ServiceHost

host = ServiceHost()

@host.function
def one(text: str) -> str:
    return text

@host.function(namespace="env", params=[("text", Prim.STRING)], result=Prim.STRING)
def two(text: str) -> str:
    return text

assert_type(one, HostFunction)
assert_type(two, HostFunction)

by_name: dict[str, HostFunction] = {"one": one}
by_pair: Mapping[tuple[str, str], HostFunction] = {("env", "two"): two}
plain: dict[str, Callable[[int], None]] = {}
marine_runtime.load("build", host_functions=host)
marine_runtime.load("build", host_functions=by_name)
marine_runtime.load("build", host_functions=by_pair)
marine_runtime.load("build", host_functions=plain)
marine_runtime.load("build", host_functions={"one": one, ("env", "two"): two})
marine_runtime.load("build", host_functions={"one": 1})  # WRONG
marine_runtime.load("build", host_functions=[one])  # WRONG
host.function("one")  # WRONG
"""


def test_mypy_accepts_every_way_and_refuses_mistakes(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(SOURCE)
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", CACHE, "user.py"],
        cwd=tmp_path,
        env={"MYPYPATH": str(Path(marine_runtime.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    found = {int(line.split(":")[1]) for line in result.stdout.splitlines() if ": error: " in line}
    wrong = {number for number, line in enumerate(SOURCE.splitlines(), 1) if line.endswith("# WRONG")}
    assert found == wrong, result.stdout
