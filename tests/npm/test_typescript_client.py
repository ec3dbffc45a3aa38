"""A client in TypeScript, with types that a generator from npm makes of the OpenAPI document, calls a server."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.guests.descriptions import ROOT
from tests.support.available import unavailable
from tests.support.served import served

pytestmark = pytest.mark.npm

FOLDER = ROOT / "tests" / "serve" / "typescript"
CACHE = ROOT / "tests" / ".cache" / "typescript"


@pytest.fixture(scope="module")
def installed() -> Path:
    """A folder with the generator and the compiler; npm installs them once."""
    npm = shutil.which("npm")
    if npm is None:
        unavailable("there is no npm")
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = (FOLDER / "package.json").read_text("utf-8")
    known = CACHE / "package.json"
    if (
        not known.is_file()
        or known.read_text("utf-8") != wanted
        or not (CACHE / "node_modules" / ".bin" / "tsc").exists()
    ):
        known.write_text(wanted)
        command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=300)
        if done.returncode:
            unavailable(f"npm can't install: {done.stderr[-500:]}")
    return CACHE


@pytest.mark.slow
def test_a_generated_client_calls_a_server(installed: Path) -> None:
    bin_folder = installed / "node_modules" / ".bin"
    shutil.copy(FOLDER / "program.ts", installed)

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=installed, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with served() as server:
        document = f"{server.url}/openapi.json?int64=string&bytes=base64"
        run(str(bin_folder / "openapi-typescript"), document, "-o", "service.d.ts")
        options = ("--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck")
        (installed / "globals.d.ts").write_text("declare const process: { argv: string[] };\n")
        run(str(bin_folder / "tsc"), *options, "program.ts", "globals.d.ts")
        assert run("node", "program.js", server.url) == "fine\n"
