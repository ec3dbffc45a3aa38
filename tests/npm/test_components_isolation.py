"""The attacks of one module of a component on another one, in Node.js and in the Wasmtime CLI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.component.attacks import (
    HOST_SECRET,
    SETTINGS,
    Script,
    attacks,
    broken,
    check,
    directories,
    modules,
    untouched,
    whole,
)
from tests.component.test_wasi import configured
from tests.support.component_hosts import CLIS, NEWEST_NODE, NODE, in_node, run

pytestmark = [pytest.mark.npm, pytest.mark.slow]


@pytest.fixture
def component(tmp_path: Path) -> Path:
    """The component, in a folder of its own beside the directories."""
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "service.wasm").write_bytes(configured(modules(), SETTINGS).wasm)
    return folder / "service.wasm"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the directories."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def listed(script: Script) -> str:
    return json.dumps([*script.encoded()])


@pytest.mark.parametrize("version", [NODE, NEWEST_NODE])
def test_attacks_in_node(component: Path, root: Path, version: str) -> None:
    preopens = {name: str(path) for name, path in directories(root).items()}
    before = untouched(root)
    program = f"""
import {{ _setPreopens }} from "@bytecodealliance/preview2-shim/filesystem";
import {{ _setEnv, _setArgs }} from "@bytecodealliance/preview2-shim/cli";
_setPreopens({json.dumps(preopens)});
_setEnv({{ HOST_SECRET: {json.dumps(HOST_SECRET)} }});
_setArgs([{json.dumps(HOST_SECRET)}]);
const {{ facade }} = await import("./component/component.js");
const hex = (bytes) => Buffer.from(bytes).toString("hex");
for (const script of [{", ".join(map(listed, attacks()))}]) console.log(hex(facade.attack(Uint8Array.from(script))));
console.log(hex(facade.check(Uint8Array.from({listed(check())}))));
"""
    *attacked, checked = map(
        bytes.fromhex, in_node(component, program, stdin=HOST_SECRET, version=version).splitlines()
    )
    assert broken(attacks(), attacked) == []
    assert whole(check().answers(checked))
    assert untouched(root) == before


@pytest.mark.parametrize("cli", CLIS)
def test_attacks_in_the_cli(component: Path, root: Path, cli: str) -> None:
    options = [word for name, path in directories(root).items() for word in ("--dir", f"{path}::{name}")]
    shared = [CLIS[cli](), "run", *options, "--env", f"HOST_SECRET={HOST_SECRET}", "--invoke"]
    before = untouched(root)
    attacked = [
        bytes(json.loads(run(root, [*shared, f"attack({listed(script)})", component, HOST_SECRET], HOST_SECRET)))
        for script in attacks()
    ]
    assert broken(attacks(), attacked) == []
    checked = run(root, [*shared, f"check({listed(check())})", component])
    assert whole(check().answers(bytes(json.loads(checked))))
    assert untouched(root) == before
