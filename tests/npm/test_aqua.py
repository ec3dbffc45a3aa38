"""Output of `marine-gen aqua`, compiled by Aqua's own compiler.

The compiler is installed once into `tests/.cache/`, which git ignores.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from marine_gen.cli import cli
from tests.support.available import unavailable
from tests.support.paths import TESTS

pytestmark = [pytest.mark.npm, pytest.mark.slow]

PACKAGE = "@fluencelabs/aqua-api@0.14.6"
CACHE = TESTS / ".cache" / "aqua-api-0.14.6"

COMPILE = """\
import { compileFromString } from '@fluencelabs/aqua-api';
import { readFileSync } from 'node:fs';
const found = [];
for (const code of JSON.parse(readFileSync(0, 'utf8'))) {
  const result = await compileFromString({ code, targetType: 'air', imports: {} });
  found.push([Object.keys(result.functions), ...result.errors]);
}
console.log(JSON.stringify(found));
"""

EVERY_TYPE = """\
data Inner:
  data: [u8]
data Record:
  service: string
  b: bool
  inner: [[Inner]]
  func: f64
export:
  fn all(b: bool, a: u8, c: u16, d: u32, e: u64, f: s8, g: s16, h: s32, i: s64, j: f32, k: f64, l: string) -> Record
  fn nothing()
  fn on(if: [Record]) -> [[u8]]
"""

USE = """\

func call() -> bool:
  {service}.nothing()
  <- true
"""


@pytest.fixture(scope="module")
def compiler() -> Path:
    """A folder with the compiler, and a program that compiles texts on stdin."""
    if not (CACHE / "node_modules").is_dir():
        if shutil.which("npm") is None:
            unavailable("npm is not installed")
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            shutil.rmtree(CACHE)
            unavailable(f"npm can't install the compiler of Aqua: {done.stderr}")
    (CACHE / "compile.mjs").write_text(COMPILE)
    return CACHE


def compiled(compiler: Path, *texts: str) -> list[list[object]]:
    """For each text its functions, and behind them its errors."""
    command = ["node", "compile.mjs"]
    done = subprocess.run(
        command, cwd=compiler, input=json.dumps(texts), capture_output=True, text=True, timeout=300, check=True
    )
    found: list[list[object]] = json.loads(done.stdout)
    return found


def printed(*arguments: str) -> str:
    """The output of `marine-gen aqua`."""
    result = CliRunner().invoke(cli, ["aqua", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_compiler_takes_what_is_printed(compiler: Path, tmp_path: Path) -> None:
    """A function that calls the service has the compiler look at it; without a service it finds an error."""
    path = tmp_path / "everything.idl"
    path.write_text(EVERY_TYPE)
    text = printed(str(path), "--service-id", "id")
    right, wrong = compiled(compiler, text + USE.format(service="Everything"), text + USE.format(service="Else"))
    assert right == [[]]
    assert len(wrong) > 1


def test_the_compiler_takes_every_guest(compiler: Path) -> None:
    paths = sorted((TESTS / "guests").glob("*.wasm"))
    texts = [printed(str(path), "--service", "Service9") for path in paths]
    for path, (functions, *errors) in zip(paths, compiled(compiler, *texts), strict=True):
        assert (path.name, functions, errors) == (path.name, [], [])
