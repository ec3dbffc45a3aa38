"""Components in other hosts: Node.js through jco, the Wasmtime CLI, other components.

A key-value store with files, AquaVM, the curl service: modules as they are published, one command, then a call.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import marine_gen
from marine_gen.cli import cli
from tests.guests.descriptions import EXAMPLE_FOLDER
from tests.guests.kit_guests import kit_guest
from tests.npm.test_avm import install
from tests.support.component_hosts import CLIS, in_node, run, wasmtime
from tests.support.components import tool
from tests.support.engines import guest

pytestmark = [pytest.mark.npm, pytest.mark.slow]

STORE = """
modules_dir = "{folder}"
total_memory_limit = "10 MiB"
[[module]]
name = "local_storage"
logger_enabled = true
[module.wasi]
mapped_dirs = {{ "sites" = "./sites" }}
"""

CONSUMER = """(component
  (import "marine:greeting/greeting"
    (instance $service (export "greeting" (func (param "name" string) (result string)))))
  (core module $memory
    (memory (export "memory") 1)
    (global $at (mut i32) (i32.const 1024))
    (data (i32.const 16) "component")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $at (i32.and (i32.add (global.get $at) (i32.const 7)) (i32.const -8)))
      (global.get $at)
      (global.set $at (i32.add (global.get $at) (local.get 3)))))
  (core instance $memory (instantiate $memory))
  (core func $greeting (canon lower (func $service "greeting")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core module $main
    (import "0" "greeting" (func $greeting (param i32 i32 i32)))
    (func (export "run") (result i32)
      (call $greeting (i32.const 16) (i32.const 9) (i32.const 0))
      (i32.const 0)))
  (core instance $main (instantiate $main
    (with "0" (instance (export "greeting" (func $greeting))))))
  (func (export "run") (result string) (canon lift (core func $main "run")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))"""
"""A component that imports a service and greets itself."""


def component(tmp_path: Path, *arguments: Any) -> Path:
    """The component that the command makes."""
    out = tmp_path / "service.wasm"
    done = CliRunner().invoke(cli, ["component", *map(str, arguments), "-o", str(out)])
    assert done.exit_code == 0, done.output
    return out


def written(tmp_path: Path, name: str, content: bytes) -> Path:
    path = tmp_path / f"{name}.wasm"
    path.write_bytes(content)
    return path


def test_records_and_arrays_in_node(tmp_path: Path) -> None:
    made = component(tmp_path, written(tmp_path, "arrays", kit_guest("arrays")))
    program = """
import { arrays } from "./component/component.js";
const record = { field0: -5, field1: [Uint8Array.of(1, 2), Uint8Array.of()] };
const show = (value) => JSON.stringify(value, (_, item) => typeof item === "bigint" ? `${item}n` :
  ArrayBuffer.isView(item) ? [...item].map((one) => typeof one === "bigint" ? `${one}n` : one) : item);
console.log(show(arrays.innerArrays2([[[[record, record]], []], [[[], [record]]]])));
console.log(show(arrays.stringType(["a", "", "ü"])));
console.log(show(arrays.u64Type(BigUint64Array.of(1n, 2n ** 64n - 1n))));
"""
    found = in_node(made, program).splitlines()
    one = {"field_0": -5, "field_1": [[1, 2], []]}
    with marine_gen.load({"arrays": kit_guest("arrays")}) as service:
        nested = service.call_json("arrays", "inner_arrays_2", json.dumps([[[[[one, one]], []], [[[], [one]]]]]))
        texts = json.loads(service.call_json("arrays", "string_type", '[["a", "", "ü"]]'))
        numbers = json.loads(service.call_json("arrays", "u64_type", f"[[1, {2**64 - 1}]]"))
    assert json.loads(found[0]) == json.loads(nested.replace("field_", "field"))
    assert [json.loads(line) for line in found[1:]] == [texts, [f"{number}n" for number in numbers]]


def test_a_store_in_node_and_in_the_cli(tmp_path: Path) -> None:
    (tmp_path / "Config.toml").write_text(STORE.format(folder=EXAMPLE_FOLDER))
    (tmp_path / "sites").mkdir()
    made = component(tmp_path, tmp_path / "Config.toml", "--package", "marine:store")
    program = """
import { _setPreopens } from "@bytecodealliance/preview2-shim/filesystem";
_setPreopens({ "local_storage/sites": "./sites" });
const { localStorage } = await import("./component/component.js");
console.log(localStorage.put("page", new TextEncoder().encode("from node")));
console.log(new TextDecoder().decode(localStorage.get("page")));
"""
    assert in_node(made, program) == "Ok\nfrom node\n"
    assert (tmp_path / "sites" / "page").read_text() == "from node"
    for name, program_of in CLIS.items():
        shared = [program_of(), "run", "--dir", "./sites::local_storage/sites", "--invoke"]
        assert run(tmp_path, [*shared, f'put("{name}", [104, 105])', made]) == '"Ok"\n'
        assert run(tmp_path, [*shared, f'get("{name}")', made]) == "[104, 105]\n"


def test_the_curl_service_with_its_import_given_and_left_out(tmp_path: Path) -> None:
    config = EXAMPLE_FOLDER / "Config.toml"
    made = component(tmp_path, config, "--package", "marine:curl-service")
    (tmp_path / "sites").mkdir()
    (tmp_path / "host.js").write_text(
        """
export const curl = (args) => ({
  retCode: 0, error: "", stdout: new TextEncoder().encode(`page of ${args.at(-1)}`), stderr: new Uint8Array(),
});
"""
    )
    program = """
import { _setPreopens } from "@bytecodealliance/preview2-shim/filesystem";
_setPreopens({ "local_storage/sites": "./sites" });
const { facade } = await import("./component/component.js");
console.log(facade.getNSave("https://example.com", "example"));
"""
    assert in_node(made, program, "--map", "marine:curl-service/host=../host.js") == "Ok\n"
    assert (tmp_path / "sites" / "example").read_text() == "page of https://example.com"
    options = ("--package", "marine:curl-service", "--stub-import", "__marine_host_api_v3.curl")
    stubbed = component(tmp_path, config, *options)
    call = [wasmtime(), "run", "--dir", "./sites::local_storage/sites", "--invoke", 'get-n-save("a", "b")', stubbed]
    done = subprocess.run([*map(str, call)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "wasm `unreachable` instruction executed" in done.stderr
    assert "trap" in done.stderr.split("wasm backtrace")[1].splitlines()[1]  # the import, and nothing before it


def test_aquavm_answers_as_in_python(tmp_path: Path) -> None:
    wasm = install()
    made = component(tmp_path, wasm)
    script = '(seq (call "me" ("srv" "fn") ["Grüße" 7] x) (null))'
    with marine_gen.load(wasm) as service:
        wanted = service.modules.avm.ast(script)
    program = f'import {{ avm }} from "./component/component.js";\nconsole.log(avm.ast({json.dumps(script)}));\n'
    assert in_node(made, program) == f"{wanted}\n"
    for program_of in CLIS.values():
        answer = run(
            tmp_path, [program_of(), "run", "--invoke", f"ast({json.dumps(script, ensure_ascii=False)})", made]
        )
        assert json.loads(answer) == wanted


def test_a_component_that_imports_a_service(tmp_path: Path) -> None:
    made = component(tmp_path, written(tmp_path, "greeting", guest("greeting")))
    (tmp_path / "consumer.wat").write_text(CONSUMER)
    run(tmp_path, [tool("wasm-tools"), "parse", "consumer.wat", "-o", "consumer.wasm"])
    run(tmp_path, [tool("wasm-tools"), "compose", "consumer.wasm", "-d", made, "-o", "composed.wasm"])
    composed = tmp_path / "composed.wasm"
    assert run(tmp_path, [wasmtime(), "run", "--invoke", "run()", composed]) == '"Hi, component"\n'
    program = 'import { run } from "./component/component.js";\nconsole.log(run());\n'
    assert in_node(composed, program) == "Hi, component\n"
