"""Packages of the extras `serve` and `client`: imported by nothing else, and named when they are missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.guests.descriptions import GUESTS_FOLDER

PACKAGES = ("uvicorn", "httptools", "uvloop", "prometheus_client", "httpx", "starlette", "opentelemetry")


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "program",
    [
        f"import marine_gen, marine_runtime.pool; marine_gen.load({str(GUESTS_FOLDER / 'greeting.wasm')!r}).close()",
        "import marine_gen.serve, marine_gen.wire.problems, marine_gen.cli as m; "
        "from click.testing import CliRunner as R; R().invoke(m.cli, ['serve', '-h'])",
    ],
    ids=["core", "serve"],
)
def test_nobody_else_imports_them(program: str) -> None:
    done = python(f"{program}\nimport sys\nprint(sorted({set(PACKAGES)!r} & sys.modules.keys()))")
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_missing_extra_is_told() -> None:
    program = "import sys; sys.modules['uvicorn'] = None\nfrom marine_gen.cli import main\n"
    program += f"sys.argv = ['marine-gen', 'serve', {str(GUESTS_FOLDER / 'greeting.wasm')!r}]\nmain()"
    done = python(program)
    assert done.returncode == 1
    assert "marine-gen[serve]" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_client_without_its_extra_is_told() -> None:
    program = "import sys, importlib.util as u; found = u.find_spec\n"
    program += "u.find_spec = lambda name, *package: None if name == 'httpx' else found(name, *package)\n"
    done = python(f"{program}import marine_gen.client")
    assert done.stderr.endswith("httpx is not installed: run `pip install 'marine-gen[client]'`\n")
