"""The table of engines: its two halves have the same rows, and loading a build imports neither compiler nor output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import marine_gen
from marine_gen.artifact.engines import BACKENDS
from marine_gen.artifact.outputs import OUTPUTS
from marine_gen.interpreter import InterpreterGlue
from tests.support.engines import guest

WARM = """
import sys
before = set(sys.modules)  # of the environment, whose installed packages may import anything
import marine_gen
with marine_gen.load(sys.argv[1]) as service:
    print(service.modules.greeting.greeting("x"))
print(sorted((set(sys.modules) - before) & set(sys.argv[2:])))
"""

NOT_IMPORTED = (
    *("marine_gen.artifact.compile", "lark", "jinja2", "hashlib", "shutil", "tempfile"),
    *("marine_runtime.config.toml", "marine_runtime.host.function"),
)


def test_each_engine_has_both_halves() -> None:
    assert set(OUTPUTS) == set(BACKENDS)
    assert {name for name, row in OUTPUTS.items() if row.files is not None} == {
        name for name, row in BACKENDS.items() if row.built
    }
    assert BACKENDS[InterpreterGlue.engine].engine.name == InterpreterGlue.engine
    assert all(row.output is OUTPUTS[name] for name, row in BACKENDS.items())


@pytest.mark.parametrize("kind", ["cached", "built"])
def test_a_service_that_was_compiled_before_imports_no_compiler(kind: str, tmp_path: Path) -> None:
    module = tmp_path / "greeting.wasm"
    module.write_bytes(guest("greeting"))
    target = module
    if kind == "built":
        target = marine_gen.build(module, tmp_path / "built").directory
    else:
        marine_gen.load(module).close()
    command = [sys.executable, "-c", WARM, target, *NOT_IMPORTED]
    for _ in range(2):  # the first may have to look into Wasmtime's library
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["Hi, x", "[]"]
