"""Imports on the way from a built directory to a first call, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import marine_gen
from tests.support.engines import guests

NOT_IMPORTED = {
    *("wasmtime", "logging", "email", "importlib.metadata", "pathlib"),
    *("dataclasses", "inspect", "json", "bisect", "hashlib", "subprocess", "tempfile", "platform", "marine_gen"),
    *("threading", "signal"),
    *(f"marine_runtime.{name}" for name in ("config.toml", "host.function", "pool", "traces.recorder", "values.json")),
    *(f"marine_runtime.{name}" for name in ("config.sizes", "host.resolve", "service.interface", "wasi.functions")),
}
"""Modules that take time and have nothing to do with a call."""

_PROGRAM = """
import sys
before = set(sys.modules)  # of the environment, whose installed packages may import anything
import marine_runtime
with marine_runtime.load(sys.argv[1]) as service:
    assert service.modules.greeting.greeting("x") == "Hi, x"
print(*sorted(set(sys.modules) - before))
"""


def test_a_first_call_imports_little(tmp_path: Path) -> None:
    built = marine_gen.build(dict(guests("greeting")), tmp_path / "built").directory
    subprocess.run(
        [sys.executable, "-P", "-c", _PROGRAM, str(built)], check=True, capture_output=True
    )  # what is known of the library
    nowhere = str(built / "manifest.json")  # as where there is no place for a cache
    for written, more in (("1", {}), ("", {}), ("", {"MARINE_GEN_CACHE": nowhere})):
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": written, **more}
        command = [sys.executable, "-P", "-c", _PROGRAM, str(built)]
        found = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.split()
        assert "ctypes" in found
        assert NOT_IMPORTED & set(found) <= ({"hashlib", "json"} if more else set())


def test_exports_have_their_types_and_their_list() -> None:
    """They are imported when they are asked for, and listed all the same."""
    import marine_runtime
    from marine_runtime import abi, adapters, artifact, host, support, values, wasi

    for package in (marine_runtime, abi, adapters, artifact, host, support, values, wasi):
        assert set(package.__all__) <= set(dir(package))
        for name in package.__all__:
            getattr(package, name)
