"""Each setting with wrong values: they are refused at once, in the words that the page about configurations tells."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import marine_gen
import marine_runtime
from marine_gen.cli import cli
from marine_runtime import (
    ArgumentError,
    ConfigError,
    MarineError,
    MarineWarning,
    ModuleConfig,
    MountedBinary,
    PythonModule,
    ServiceConfig,
    parse_config,
    read_config,
)
from tests.support.engines import guest
from tests.support.markdown import table
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "configuration.md"

TOP = 'modules_dir = "."\ntotal_memory_limit = "Infinity"\n'
ONE = f'{TOP}[[module]]\nname = "m"\n'

LIMITED = 'total_memory_limit = {}\nmodules_dir = "."\n[[module]]\nname = "m"\n'

IN_FILES = [
    ("total_memory_limit", '"ten"', LIMITED),
    (
        "total_memory_limit",
        '"10 MX"',
        LIMITED,
    ),
    ("total_memory_limit", "-1", LIMITED),
    ("total_memory_limit", "inf", LIMITED),
    ("module", "[]", TOP + "module = {}"),
    ("module", "[module]", TOP + "{}\nname = 'm'"),
    ("modules_dir", "7", 'total_memory_limit = "Infinity"\nmodules_dir = {}\n[[module]]\nname = "m"'),
    ("modules_dir", "nothing", 'total_memory_limit = "Infinity"\n[[module]]\nname = "m"'),
    ("service_working_dir", "7", "service_working_dir = {}\n" + ONE),
    ("default", "7", "default = {}\n" + ONE),
    ("default.file_name", '"m.wasm"', ONE + "[default]\nfile_name = {}"),
    ("name", "7", "name = {}\n" + ONE),
    ("module.name", "nothing", TOP + "[[module]]"),
    ("module.name", '""', TOP + "[[module]]\nname = {}"),
    ("module.name", "that of another module", ONE + '[[module]]\nname = "m"'),
    ("module.file_name", "7", ONE + "file_name = {}"),
    ("module.load_from", "true", ONE + "load_from = {}"),
    ("module.logger_enabled", '"yes"', ONE + "logger_enabled = {}"),
    ("module.logging_mask", "4294967295", ONE + "logging_mask = {}"),
    ("module.mounted_binaries", '["curl"]', ONE + "mounted_binaries = {}"),
    ("module.mounted_binaries.curl", "7", ONE + "mounted_binaries.curl = {}"),
    ("module.envs", "{ A = '1' }", ONE + "envs = {}"),
    ("module.wasi", "7", ONE + "wasi = {}"),
    ("module.wasi.envs", '"A=B"', ONE + "wasi.envs = {}"),
    ("module.wasi.envs.A", "1", ONE + "wasi.envs.A = {}"),
    ("module.wasi.envs.'A='", '"1"', ONE + "wasi.envs.'A=' = {}"),
    ("module.wasi.mapped_dirs.d", "7", ONE + "wasi.mapped_dirs.d = {}"),
    ("module.wasi.mapped_dirs.'a=b'", '"/srv"', ONE + "wasi.mapped_dirs.'a=b' = {}"),
    ("module.wasi.preopend_files", "[]", ONE + "wasi.preopend_files = {}"),
    ("module.log_level", "3", ONE + "log_level = {}"),
    ("module.loging_mask", "3", ONE + "loging_mask = {}"),
]
"""Key, wrong value, and the file around it."""


async def coroutine_function(data: bytes) -> None:
    """No output."""


def closed_file() -> io.BytesIO:
    """A file that takes nothing any more."""
    file = io.BytesIO()
    file.close()
    return file


IN_PYTHON: list[tuple[str, str, Callable[[], object]]] = [
    ("ServiceConfig.total_memory_limit", '"1 MiB"', lambda: ServiceConfig(total_memory_limit="1 MiB")),  # type: ignore[arg-type]
    ("ServiceConfig.total_memory_limit", "2**64", lambda: ServiceConfig(total_memory_limit=2**64)),
    ("ServiceConfig.modules", "{'m': {}}", lambda: ServiceConfig(modules={"m": {}})),  # type: ignore[dict-item]
    ("ServiceConfig.envs", "{7: 'x'}", lambda: ServiceConfig(envs={7: "x"})),  # type: ignore[dict-item]
    ("ServiceConfig.service_id", "7", lambda: ServiceConfig(service_id=7)),  # type: ignore[arg-type]
    ("ModuleConfig.logger_enabled", "1", lambda: ModuleConfig(logger_enabled=1)),  # type: ignore[arg-type]
    ("ModuleConfig.logging_mask", "True", lambda: ModuleConfig(logging_mask=True)),
    ("ModuleConfig.mounted_binaries", "{'curl': ''}", lambda: ModuleConfig(mounted_binaries={"curl": ""})),
    ("ModuleConfig.envs", "{'A': '\\0'}", lambda: ModuleConfig(envs={"A": "\0"})),
    ("ModuleConfig.mapped_dirs", "{'d': Path('/')}", lambda: ModuleConfig(mapped_dirs={"d": Path("/")})),  # type: ignore[dict-item]
    ("ModuleConfig.stdout", "7", lambda: ModuleConfig(stdout=7)),  # type: ignore[arg-type]
    ("ModuleConfig.stdout", "io.StringIO()", lambda: ModuleConfig(stdout=io.StringIO())),  # type: ignore[arg-type]
    ("ModuleConfig.stdout", "a closed file", lambda: ModuleConfig(stdout=closed_file())),
    ("ModuleConfig.stderr", "an `async def` function", lambda: ModuleConfig(stderr=coroutine_function)),
    ("ModuleConfig.stderr", "io.BytesIO", lambda: ModuleConfig(stderr=io.BytesIO)),  # type: ignore[arg-type]
    ("MountedBinary.path", "b'curl'", lambda: MountedBinary(b"curl")),  # type: ignore[arg-type]
    ("MountedBinary.timeout", "0", lambda: MountedBinary("curl", timeout=0)),
    ("MountedBinary.output_limit", "1.5", lambda: MountedBinary("curl", output_limit=1.5)),  # type: ignore[arg-type]
    ("MountedBinary.env", "[]", lambda: MountedBinary("curl", env=[])),  # type: ignore[arg-type]
    ("read_config(…)", "7", lambda: read_config(7)),  # type: ignore[arg-type]
    ("read_config(…)", '"service.yaml"', lambda: read_config("service.yaml")),
    ("parse_config(…)", "b''", lambda: parse_config(b"")),  # type: ignore[arg-type]
]
"""Setting, wrong value, and how it is given."""


def load(**options: Any) -> object:
    """Load a service of one module."""
    return marine_gen.load({"greeting": guest("greeting")}, **options)


HELP = PythonModule("helper", {})
IN_LOAD: list[tuple[str, str, Callable[[], object]]] = [
    ("config", '"Config.toml"', lambda: load(config="Config.toml")),
    ("config", "ModuleConfig()", lambda: load(config=ModuleConfig())),
    ("config", "{}", lambda: load(config={})),
    ("config", "7", lambda: load(config=7)),
    ("config", "ServiceConfig", lambda: load(config=ServiceConfig)),
    ("config", "of other modules", lambda: load(config=ServiceConfig(modules={"greting": ModuleConfig()}))),
    ("order", '["greting"]', lambda: load(order=["greting"])),
    ("order", '["greeting", "greeting"]', lambda: load(order=["greeting", "greeting"])),
    ("order", '"greeting"', lambda: load(order="greeting")),
    ("order", "[7]", lambda: load(order=[7])),
    ("python_modules", "a PythonModule", lambda: load(python_modules=HELP)),
    ("python_modules", "[7]", lambda: load(python_modules=[7])),
    ("collect_statistics", '"yes"', lambda: load(collect_statistics="yes")),
    ("trace", "True", lambda: load(trace=True)),
    ("cache", "None", lambda: load(cache=None)),
    ("the target", "7", lambda: marine_gen.load(7)),  # type: ignore[arg-type]
    ("the target", "{}", lambda: marine_gen.load({})),
    ("the target", "{'m': 7}", lambda: marine_gen.load({"m": 7})),  # type: ignore[dict-item]
    ("the target", "{7: b''}", lambda: marine_gen.load({7: b""})),  # type: ignore[dict-item]
    ("the target", '"service.yaml"', lambda: marine_gen.load("service.yaml")),
]
"""Argument of `load`, wrong value, and the call."""


def refusal(act: Callable[[], object]) -> str:
    """The words of the error, which is one of ours."""
    with pytest.raises(MarineError) as caught:
        act()
    assert isinstance(caught.value, (ConfigError, ArgumentError))
    return str(caught.value)


def rows() -> dict[str, list[list[str]]]:
    """The tables of the page."""
    found: dict[str, list[list[str]]] = {"key": [], "setting": [], "argument of `load`": []}
    for key, value, text in IN_FILES:
        message = refusal(lambda text=text, value=value: parse_config(text.replace("{}", value, 1)))  # type: ignore[misc]
        found["key"].append([f"`{key}`", _shown(value), message])
    for setting, value, act in IN_PYTHON:
        found["setting"].append([f"`{setting}`", _shown(value), refusal(act)])
    for argument, value, act in IN_LOAD:
        found["argument of `load`"].append(
            [f"`{argument}`" if " " not in argument else argument, _shown(value), refusal(act)]
        )
    return found


def _shown(value: str) -> str:
    in_words = value.startswith(("a ", "an ", "that ", "of ", "nothing"))
    return value if in_words else f"`{value}`"


def tables() -> str:
    """All tables as the page has them."""
    return "\n".join(table([head, "wrong value", "result"], items) for head, items in rows().items())


def test_the_page_tells_what_wrong_values_get() -> None:
    assert tables() in PAGE.read_text("utf-8")


def test_every_setting_is_in_the_tables() -> None:
    told = {setting for setting, *_ in (*IN_FILES, *IN_PYTHON)}
    for cls in (ServiceConfig, ModuleConfig, MountedBinary):
        for name in cls.__dataclass_fields__:
            assert f"{cls.__name__}.{name}" in told, name
    for key in ("total_memory_limit", "modules_dir", "service_working_dir", "name", "default", "module"):
        assert key in told, key
    for key in ("name", "file_name", "load_from", "logger_enabled", "logging_mask", "mounted_binaries", "wasi.envs"):
        assert f"module.{key}" in told, key


def test_settings_of_a_built_service_are_checked_too(tmp_path: Path) -> None:
    marine_gen.build({"greeting": guest("greeting")}, tmp_path / "built")
    for options, message in (
        ({"config": "Config.toml"}, "`config` must be a ServiceConfig, not str; write `config=read_config("),
        ({"order": ["other"]}, "`order` names `other`, which is not a module (modules are: `greeting`)"),
        ({"python_modules": [7]}, "`python_modules` has int"),
    ):
        assert refusal(lambda options=options: marine_runtime.load(tmp_path / "built", **options)).startswith(message)  # type: ignore[misc, arg-type]


def test_settings_of_a_module_that_comes_later() -> None:
    with load() as service:  # type: ignore[attr-defined]
        with pytest.raises(ConfigError, match="`config` of a module must be a ModuleConfig, not ServiceConfig"):
            service.load_module(PythonModule("later", {}), ServiceConfig())
        assert list(service.modules) == ["greeting"]


def test_following_the_sentence_about_a_path_works(tmp_path: Path) -> None:
    path = tmp_path / "Config.toml"
    path.write_text('modules_dir = "."\ntotal_memory_limit = 1000000\n[[module]]\nname = "greeting"\n')
    with load(config=read_config(str(path)).config) as service:  # type: ignore[attr-defined]
        assert service.config.total_memory_limit == 1000000


@pytest.mark.parametrize("name", ["service.yaml", "service.YML", "service.json"])
@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(
    "command", ["check {}", "run {} m.f", "build {} -o x", "explain {} f", "graph {}", "bench {} m.f", "interface {}"]
)
def test_commands_say_that_services_are_toml(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    exists: bool,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if exists:
        Path(name).write_text("version: 0\nname: hello\nmodules:\n  facade:\n    get: modules/greeting\n")
    result = CliRunner().invoke(cli, command.format(name).split())
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output
    if exists:
        assert f"`{name}` is a " in result.stderr
        assert "services are described in TOML: give a `.toml` file" in result.stderr


def test_what_older_versions_of_marine_had(tmp_path: Path) -> None:
    """As published services have it: no memory limit, and keys that are gone since."""
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "greeting.wasm").write_bytes(guest("greeting"))
    path = tmp_path / "Config.toml"
    path.write_text(
        'modules_dir = "artifacts/"\nservice_base_dir = "/srv"\n[[module]]\nname = "greeting"\nmem_pages_count = 100\n'
        'max_heap_size = "100 KiB"\nlogger_enabled = true\n'
    )
    with pytest.warns(MarineWarning) as caught:
        service = marine_gen.load(path)
    with service:
        assert service.call("greeting", "greeting", ["x"]) == "Hi, x"
        assert service.config.total_memory_limit is None
    expected = [
        f"`{path}`: keys of older versions have no effect: `service_base_dir`, `module[0].mem_pages_count`, "
        "`module[0].max_heap_size`",
        f"`{path}`: without `total_memory_limit` the service may use any amount of memory; write for example "
        '`total_memory_limit = "64 MiB"`, or "Infinity"',
    ]
    assert [str(item.message) for item in caught] == expected
    assert {item.filename for item in caught} == {__file__}
    result = CliRunner().invoke(cli, ["run", str(path), "greeting.greeting", '["x"]'])
    assert result.stdout == '"Hi, x"\n'
    assert result.stderr.splitlines() == [f"warning: {text}" for text in expected]
