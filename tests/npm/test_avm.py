"""A real module of 6 MB, the AquaVM interpreter from npm: read, printed, encoded, loaded and called on every engine.

The package is installed once into `tests/.cache/`, which git ignores.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import marine_gen
from marine_gen.artifact import ENGINES, compile_module, compile_service, read_target
from marine_gen.binary import decode, encode
from marine_gen.binary.embed import SECTION, extract
from marine_gen.cli import cli
from marine_gen.generate import generate, read_description
from marine_gen.idl import parse_description, print_description
from marine_gen.links import check_links
from marine_gen.text import parse, print_interfaces
from marine_gen.wasm import unique_custom_section
from marine_runtime.abi import AbiHelper
from tests.support.available import unavailable
from tests.support.golden import GOLDEN, check_file
from tests.support.paths import TESTS
from tests.support.samples import sampled

pytestmark = pytest.mark.npm

PACKAGE = "@fluencelabs/avm"
VERSION = "0.62.0"
SHA256 = "4a9f248d19582a4c0c638a3e4485d092dbf707dd7ad766f5320698b082010eba"
CACHE = TESTS / ".cache"

CALL = '(seq (call "me" ("srv" "fn") ["Grüße" 7] x) (call "other" ("srv" "g") [x] y))'
EMPTY_CALL_RESULTS = b"\x81\x04\x80"  # an empty MessagePack map behind its multicodec prefix
PARAMETERS = {
    "init_peer_id": "init",
    "current_peer_id": "me",
    "timestamp": 1_700_000_000_000,
    "ttl": 60_000,
    "key_format": 0,
    "secret_key_bytes": bytes(range(32)),
    "particle_id": "particle",
    "air_size_limit": 2**32,
    "particle_size_limit": 2**32,
    "call_result_size_limit": 2**32,
    "hard_limit_enabled": True,
}


def install() -> Path:
    """The installed module; two sessions that want it at once do not meet, because a finished folder is moved in."""
    folder = CACHE / f"avm-{VERSION}"
    wasm = folder / "node_modules" / PACKAGE / "dist" / "avm.wasm"
    if wasm.is_file():
        return wasm
    npm = shutil.which("npm")
    if npm is None:
        unavailable("npm is not installed")
    CACHE.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".avm-", dir=CACHE))
    command = [
        str(npm),
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
        ".",
        f"{PACKAGE}@{VERSION}",
    ]
    try:
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            unavailable(f"npm can't install {PACKAGE}: {done.stderr.strip()[-500:]}")
        if not wasm.is_file():
            with contextlib.suppress(OSError):  # another session was faster
                scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return wasm


@pytest.fixture(scope="module")
def wasm() -> Path:
    """The module's file, which must be the one that these tests were written for."""
    path = install()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
    return path


@pytest.fixture(scope="module", params=sampled(ENGINES, lambda _: False))
def avm(request: pytest.FixtureRequest, wasm: Path) -> Iterator[marine_gen.Service]:
    """The module as a service; machine code is compiled for the first engine only."""
    began = time.perf_counter()
    with marine_gen.load(wasm, engine=request.param) as service:
        seconds = time.perf_counter() - began
        capture = request.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print(f"\navm loaded on the engine `{request.param}` in {seconds:.2f} s")
        yield service


def invoke(service: marine_gen.Service, script: str, previous: bytes = b"") -> Any:
    """Run a script as the peer `me`."""
    return service.modules.avm.invoke(script, previous, b"", PARAMETERS, EMPTY_CALL_RESULTS)


def test_its_own_description_gives_the_section_that_it_carries(wasm: Path) -> None:
    content = wasm.read_bytes()
    embedded = unique_custom_section(content, SECTION)
    description = read_description(content)
    assert encode(generate(description, extract(content).version)) == embedded
    assert parse_description(print_description(description)) == description


def test_module_passes_every_check(wasm: Path) -> None:
    (module,) = compile_service(read_target(wasm))
    assert check_links([module.plan]) == []
    assert list(module.plan.exports) == ["invoke", "invoke_tracing", "ast", "to_human_readable_data"]


def test_section_is_encoded_as_it_was(wasm: Path) -> None:
    section = unique_custom_section(wasm.read_bytes(), SECTION)
    assert encode(decode(section, SECTION)) == section


def test_text_of_the_adapters_reads_back(wasm: Path) -> None:
    interfaces = extract(wasm.read_bytes())
    text = compile_module("avm", wasm.read_bytes()).text()
    assert text == print_interfaces(interfaces) + "\n"
    assert print_interfaces(parse(text)) == print_interfaces(interfaces)


def test_glue_has_its_service_functions(wasm: Path) -> None:
    """All but `allocate`, which is longer than what is lifted, stand in glue in place of calls."""
    lifted = compile_module("avm", wasm.read_bytes()).lifted
    assert {helper.export for helper in AbiHelper} - lifted.keys() == {"allocate"}
    assert all(item.size < 20 for item in lifted.values())


@pytest.mark.slow
def test_commands_take_it(wasm: Path) -> None:
    runner = CliRunner()
    checked = runner.invoke(cli, ["check", str(wasm)])
    assert (checked.exit_code, checked.output) == (0, f"ok: {wasm}: module avm, 4 functions, 8 imports\n")
    printed = runner.invoke(cli, ["it", str(wasm)])
    assert (printed.exit_code, printed.output) == (0, print_interfaces(extract(wasm.read_bytes())) + "\n")


def test_listings_are_as_blessed(wasm: Path) -> None:
    """Its interface, the same in Aqua and as a description, its versions and its adapters."""
    runner = CliRunner()
    for form, arguments in {
        "interface": ["interface", str(wasm)],
        "aqua": ["aqua", str(wasm), "-s", "avm-js", "-i", "avm"],
        "idl": ["interface", str(wasm), "--idl"],
        "info": ["info", str(wasm)],
        "it": ["it", str(wasm)],
    }.items():
        result = runner.invoke(cli, arguments)
        assert result.exit_code == 0, result.output
        check_file(GOLDEN / "npm" / f"avm.{form}.txt", result.stdout)


def test_its_adapters_are_made_again(wasm: Path, tmp_path: Path) -> None:
    out = tmp_path / "avm.wasm"
    result = CliRunner().invoke(cli, ["generate-adapters", str(wasm), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert extract(out.read_bytes()) == replace(extract(wasm.read_bytes()), version="0.28.0")


def test_script_is_parsed(avm: marine_gen.Service) -> None:
    assert avm.modules.avm.ast("(null)") == '{"Null":null}'
    assert avm.call_json("avm", "ast", '["(null)"]') == '"{\\"Null\\":null}"'


def test_empty_script_runs(avm: marine_gen.Service) -> None:
    outcome = invoke(avm, "(null)")
    assert (outcome.ret_code, outcome.error_message) == (0, "")
    assert (outcome.next_peer_pks, outcome.call_requests) == ([], EMPTY_CALL_RESULTS)
    assert VERSION.encode() in outcome.data
    assert outcome.air_size_limit_exceeded is False


def test_call_becomes_a_request_to_the_host(avm: marine_gen.Service) -> None:
    outcome = invoke(avm, CALL)
    assert (outcome.ret_code, outcome.error_message) == (0, "")
    for part in ("srv", "fn", "Grüße"):
        assert part.encode() in outcome.call_requests
    # The state that one run leaves is the input of the next.
    again = invoke(avm, CALL, outcome.data)
    assert (again.ret_code, again.error_message) == (0, "")


def test_wrong_script_is_an_answer_not_a_failure(avm: marine_gen.Service) -> None:
    outcome = invoke(avm, "(nul")
    assert outcome.ret_code == 1
    assert outcome.error_message.startswith("air can't be parsed:")


def test_unreadable_data_is_an_answer_not_a_failure(avm: marine_gen.Service) -> None:
    assert avm.modules.avm.to_human_readable_data(b"\xff not data").startswith("failed to deserialize envelope")


def test_wrong_arguments_say_where(avm: marine_gen.Service) -> None:
    with pytest.raises(marine_gen.MarineError, match=r"\$\.params\.ttl: expected u32, got str"):
        avm.modules.avm.invoke("(null)", b"", b"", {**PARAMETERS, "ttl": "soon"}, b"")


@pytest.mark.slow
def test_engines_agree(wasm: Path) -> None:
    outcomes = []
    for engine in ENGINES:
        with marine_gen.load(wasm, engine=engine) as service:
            results = [invoke(service, script) for script in ("(null)", CALL, "(nul")]
            results.append(service.modules.avm.ast(CALL))
            outcomes.append(list(map(repr, results)))
    assert all(outcome == outcomes[0] for outcome in outcomes)
