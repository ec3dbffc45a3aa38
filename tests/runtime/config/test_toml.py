"""Configuration files: every key, every rule for paths, every error with its place."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from marine_runtime import (
    ConfigError,
    ConfigFile,
    LoadError,
    MarineWarning,
    ModuleConfig,
    ServiceConfig,
    parse_config,
    read_config,
)

LIMIT = 'total_memory_limit = "Infinity"\n'
MODULES = f'{LIMIT}modules_dir = "."\n'
ONE = f'{MODULES}[[module]]\nname = "m"\n'

Read = Callable[..., ConfigFile]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a text as the file `service.toml`; the folder has `bin/tool` and `lib/m.wasm` too."""
    for name in ("bin/tool", "lib/m.wasm"):
        path = tmp_path / name
        path.parent.mkdir()
        path.touch()

    def from_text(text: str) -> ConfigFile:
        path = tmp_path / "service.toml"
        path.write_text(text, "utf-8")
        return read_config(path)

    return from_text


def test_the_smallest_file_is_read(read: Read, tmp_path: Path) -> None:
    found = read('modules_dir = "lib/"\ntotal_memory_limit = "10 MiB"\n[[module]]\nname = "greeting"\n')
    assert found.name == "service"
    assert found.modules == {"greeting": tmp_path / "lib" / "greeting.wasm"}
    assert found.config == ServiceConfig(10485760, {"greeting": ModuleConfig()})


def test_everything(read: Read, tmp_path: Path) -> None:
    found = read("""
name = "all of it"
modules_dir = "lib"
total_memory_limit = 268435456
service_working_dir = "state"

[default]
logging_mask = 5

[[module]]
name = "storage"
file_name = "storage-patched.wasm"
load_from = "bin"
logger_enabled = false
logging_mask = 6
  [module.wasi]
  envs = { "MODE" = "test" }
  mapped_dirs = { "sites" = "./sites", tmp = "/tmp" }

[[module]]
name = "fetcher"
  [module.mounted_binaries]
  tool = "bin/tool"

[[module]]
name = "facade"
mounted_binaries = { curl = "/no/such/curl" }
wasi = {}
""")
    assert found.name == "all of it"
    assert list(found.modules.items()) == [
        ("storage", tmp_path / "bin" / "storage-patched.wasm"),
        ("fetcher", tmp_path / "lib" / "fetcher.wasm"),
        ("facade", tmp_path / "lib" / "facade.wasm"),
    ]
    storage = ModuleConfig(False, 6, {}, {"MODE": "test"}, {"sites": str(tmp_path / "state" / "sites"), "tmp": "/tmp"})
    assert found.config == ServiceConfig(
        268435456,
        {
            "storage": storage,
            "fetcher": ModuleConfig(True, 5, {"tool": str(tmp_path / "bin" / "tool")}),
            "facade": ModuleConfig(True, 5, {"curl": "/no/such/curl"}),
        },
    )


def test_default_is_what_modules_start_from(read: Read, tmp_path: Path) -> None:
    found = read(f"""{MODULES}
[default]
logger_enabled = false
logging_mask = 3
mounted_binaries = {{ a = "/default/a", b = "bin/tool" }}
wasi = {{ envs = {{ A = "default", B = "default" }}, mapped_dirs = {{ x = "x", y = "y" }} }}
[[module]]
name = "plain"
[[module]]
name = "own"
logger_enabled = true
mounted_binaries = {{ a = "/own/a" }}
wasi = {{ envs = {{ A = "own", C = "own" }}, mapped_dirs = {{ x = "/own" }} }}
""")
    tool = str(tmp_path / "bin" / "tool")
    here = {name: str(tmp_path / name) for name in "xy"}
    plain = ModuleConfig(False, 3, {"a": "/default/a", "b": tool}, {"A": "default", "B": "default"}, here)
    envs = {"A": "own", "B": "default", "C": "own"}
    assert found.config.module("plain") == plain
    assert found.config.module("own") == ModuleConfig(True, 3, {"a": "/own/a", "b": tool}, envs, {**here, "x": "/own"})


def test_name_of_the_service(tmp_path: Path) -> None:
    folder = tmp_path / "swamp"
    folder.mkdir()
    for file, name in (("Config.toml", "swamp"), ("shrek.toml", "shrek")):
        (folder / file).write_text(f'{LIMIT}[[module]]\nname = "m"\nload_from = "/m.wasm"')
        assert read_config(folder / file).name == name


def test_relative_paths_start_at_the_real_place_of_the_file(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(f'{LIMIT}modules_dir = "lib"\n[[module]]\nname = "m"\nwasi.mapped_dirs.d = "d"')
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "link.toml").symlink_to(tmp_path / "service.toml")
    monkeypatch.chdir(elsewhere)
    found = read_config("link.toml")
    assert found.modules == {"m": tmp_path / "lib" / "m.wasm"}
    assert found.config.module("m").mapped_dirs == {"d": str(tmp_path / "d")}


def test_links_in_relative_paths_are_followed_and_absolute_paths_kept(read: Read, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "lib")
    text = LIMIT + '{}modules_dir = "{}"\n[[module]]\nname = "m"'
    assert read(text.format("", "link")).modules == {"m": tmp_path / "lib" / "m.wasm"}
    assert read(text.format("", f"{tmp_path}/link")).modules == {"m": tmp_path / "link" / "m.wasm"}
    assert read(text.format("", "/no/such/place")).modules == {"m": Path("/no/such/place/m.wasm")}


@pytest.mark.parametrize(
    ("load_from", "rest", "file"),
    [
        ("lib/m.wasm", "", "lib/m.wasm"),
        ("lib/m.wasm", 'file_name = "x.wasm"', "lib/m.wasm"),  # a file stands for itself
        ("lib", "", "lib/m.wasm"),
        ("lib", 'file_name = "x.wasm"', "lib/x.wasm"),
        ("/nowhere", 'file_name = "x.wasm"', "/nowhere/x.wasm"),
    ],
)
def test_load_from(read: Read, tmp_path: Path, load_from: str, rest: str, file: str) -> None:
    for modules_dir in ("", 'modules_dir = "bin"\n'):  # load_from overrides it
        found = read(f'{LIMIT}{modules_dir}[[module]]\nname = "m"\nload_from = "{load_from}"\n{rest}')
        assert found.modules == {"m": tmp_path / file}


def test_a_text_without_a_file_starts_at_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = parse_config(ONE)
    assert (found.name, found.modules) == ("service", {"m": tmp_path / "m.wasm"})
    (tmp_path / "sub").mkdir()
    assert parse_config(ONE, "sub").modules == {"m": tmp_path / "sub" / "m.wasm"}
    with pytest.raises(ConfigError, match=r"^the configuration: unknown key `x`"):
        parse_config("x = 1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", " is not valid TOML: "),
        ("x = " + "[" * 5000, " is not valid TOML: "),
        ("x = " + "9" * 5000, " is not valid TOML: "),
        ("a = 1\na = 2", " is not valid TOML: "),
        ("", " should contain at least one module: it needs a [[module]] table"),
        ('total_memory_limit = "ten"', ": `total_memory_limit` must be a number of bytes"),
        ("total_memory_limit = -1", ": `total_memory_limit` must not be negative"),
        ("total_memory_limit = 1.0", ": `total_memory_limit` must be a number of bytes"),
        ("total_memory_limit = inf", ": `total_memory_limit` must be a number of bytes"),
        (LIMIT, " should contain at least one module: it needs a [[module]] table"),
        (f"{LIMIT}module = []", " should contain at least one module: it needs a [[module]] table"),
        (f"{LIMIT}[module]\nname = 'm'", ": modules are an array of tables; write [[module]], not [module]"),
        (f"{LIMIT}module = 7", ": `module` must be an array of tables, not an integer"),
        (f"{LIMIT}module = [7]", ": `module[0]` must be a table, not an integer"),
        (f"{LIMIT}[[module]]", ": `module[0]` has no `name`"),
        (f"{LIMIT}[[module]]\nname = 7", ": `module[0].name` must be a string, not an integer"),
        (f"{LIMIT}[[module]]\nname = ''", ": `module[0].name` must not be empty"),
        (
            f"{LIMIT}[[module]]\nname = 'm'",
            '`module[0]`: "modules_dir" is not defined but required for module `m`; write for example '
            '`modules_dir = "."`, the directory of this file',
        ),
        (f"{ONE}[[module]]\nname = 'm'", ": `module[1]`: a module named `m` is already listed"),
        (f"{LIMIT}modules_dir = ['.']", ": `modules_dir` must be a string, not an array"),
        (f"{LIMIT}service_working_dir = 1", ": `service_working_dir` must be a string, not an integer"),
        (f"{LIMIT}name = 1\n", " should contain at least one module"),
        (f"name = 1\n{ONE}", ": `name` must be a string, not an integer"),
        (f"default = 1\n{MODULES}", ": `default` must be a table, not an integer"),
        (f"{MODULES}[default]\nlogging_mask = '1'", ": `default.logging_mask` must be an integer, not a string"),
        (f"{ONE}file_name = 7", ", module `m`: `module[0].file_name` must be a string, not an integer"),
        (f"{ONE}load_from = true", ", module `m`: `module[0].load_from` must be a string, not a boolean"),
        (f"{ONE}logger_enabled = 'yes'", ", module `m`: `module[0].logger_enabled` must be a boolean, not a string"),
        (f"{ONE}logging_mask = 4294967295", ", module `m`: `module[0].logging_mask` must be from -2147483648 to"),
        (f"{ONE}mounted_binaries = ['x']", ", module `m`: `module[0].mounted_binaries` must be a table, not an array"),
        (f"{ONE}mounted_binaries.x = 1", "`module[0].mounted_binaries`: the path of `x` must be a string, not an int"),
        (f"{ONE}wasi = 1", ", module `m`: `module[0].wasi` must be a table, not an integer"),
        (f"{ONE}wasi.envs = 'A=B'", ", module `m`: `module[0].wasi.envs` must be a table, not a string"),
        (f"{ONE}wasi.envs.A = 1", "`module[0].wasi.envs`: the value of `A` must be a string, not an integer"),
        (f"{ONE}wasi.envs.'A=' = ''", "`module[0].wasi.envs`: the name `A=` must not contain `=`"),
        (f"{ONE}wasi.mapped_dirs.a = 1", "`module[0].wasi.mapped_dirs`: the path of `a` must be a string, not an int"),
        (f'{ONE}wasi.mapped_dirs.a = "\\u0000"', ": the path of `a` must not contain a NUL character"),
    ],
)
def test_wrong_values(read: Read, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value).startswith(f"`{tmp_path / 'service.toml'}`")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"modul_dir = '.'\n{ONE}", ": unknown key `modul_dir`; did you mean `modules_dir`? (valid keys: default, mod"),
        (f"wholly_else = '.'\n{ONE}", ": unknown key `wholly_else` (valid keys: default, module, modules_dir, name, "),
        (f"{LIMIT}[[module]]\nnaem = 'm'", ": unknown key `module[0].naem`; did you mean `name`? (valid keys: file_n"),
        (f"{ONE}wasi.env = {{}}", ", module `m`: unknown key `module[0].wasi.env`; did you mean `envs`? (valid keys"),
        (f"default.file_name = 'x'\n{ONE}", ": `default.file_name` is in the wrong place; it belongs in a [[module]] "),
        (
            f"{ONE}envs = {{}}",
            "`module[0].envs` is in the wrong place; it belongs in a table `wasi` of a",
        ),
        (
            f"{ONE}modules_dir = '.'",
            "`module[0].modules_dir` is in the wrong place; it belongs at the top of the file, ",
        ),
        (
            f"logger_enabled = true\n{ONE}",
            ": `logger_enabled` is in the wrong place; it belongs in a [[module]] table, ",
        ),
        (f"{ONE}wasi.preopend_files = []", "; `preopened_files` of older versions has no effect, so remove the line ("),
        (f"service_bas_dir = '.'\n{ONE}", ": unknown key `service_bas_dir`; "),
        (f"{ONE}wasi.'a\\nb' = 1", "unknown key `module[0].wasi.a\\nb` (valid keys: envs, mapped_dirs)"),
    ],
)
def test_unknown_keys(read: Read, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key", "path"),
    [
        (f"{LIMIT}modules_dir = 'none'\nmodule = []", "`modules_dir`", "none"),
        (f"{ONE}load_from = 'none/m.wasm'", "module `m`: `module[0].load_from`", "none/m.wasm"),
        (f"{ONE}mounted_binaries.curl = 'bin/curl'", "module `m`: `module[0].mounted_binaries.curl`", "bin/curl"),
        (f"{ONE}mounted_binaries.'a b' = 'curl'", 'module `m`: `module[0].mounted_binaries."a b"`', "curl"),
        (f"{MODULES}[default]\nmounted_binaries.x = '../x'", "`default.mounted_binaries.x`", "../x"),
        (f"{ONE}load_from = 'loop'", "`module[0].load_from`", "loop"),
        (f"{ONE}load_from = '{'x' * 5000}'", "`module[0].load_from`", "x" * 5000),
    ],
)
def test_relative_paths_that_lead_nowhere(read: Read, tmp_path: Path, text: str, key: str, path: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert f"{key}: the path `{tmp_path / path}` can't be used: " in str(caught.value)


def test_everything_that_is_wrong_is_told_at_once(read: Read, tmp_path: Path) -> None:
    """In the order of the file, and nothing that only follows from something else."""
    with pytest.raises(ConfigError) as caught:
        read("""
total_memory_limit = "ten"
modules_dir = "none"
nmae = "x"
[default]
logging_mask = "1"
wasi.envs = 7
[[module]]
name = "m"
logger_enabled = 1
mounted_binaries = { a = "gone", b = "gone" }
[[module]]
load_from = "gone"
wasi.mapped_dirs.d = 1
[[module]]
name = "m"
[[module]]
name = "n"
load_from = "gone"
wasi = { env = {} }
""")
    source = f"`{tmp_path / 'service.toml'}`"
    assert all(finding.startswith(source) for finding in caught.value.findings)
    found = [
        finding.removeprefix(source).partition(" (valid")[0].partition(f" `{tmp_path}")[0]
        for finding in caught.value.findings
    ]
    assert found == [
        ": unknown key `nmae`; did you mean `name`?",
        ': `total_memory_limit` must be a number of bytes, a string such as "10 MiB", or "Infinity", not \'ten\'',
        ": `modules_dir`: the path",
        ": `default.logging_mask` must be an integer, not a string",
        ": `default.wasi.envs` must be a table, not an integer",
        ", module `m`: `module[0].logger_enabled` must be a boolean, not an integer",
        ", module `m`: `module[0].mounted_binaries.a`: the path",
        ", module `m`: `module[0].mounted_binaries.b`: the path",
        ": `module[1]` has no `name`",
        ": `module[1].wasi.mapped_dirs`: the path of `d` must be a string, not an integer",
        ": `module[2]`: a module named `m` is already listed",
        ", module `n`: `module[3].load_from`: the path",
        ", module `n`: unknown key `module[3].wasi.env`; did you mean `envs`?",
    ]
    assert str(caught.value) == "\n".join(caught.value.findings)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.findings) == (str(caught.value), caught.value.findings)


def test_a_file_full_of_mistakes(read: Read) -> None:
    with pytest.raises(ConfigError) as caught:
        read("\n".join(f"key_{number} = 1" for number in range(10_000)))
    assert len(caught.value.findings) == 20


def test_a_bare_program_name_gets_advice(read: Read) -> None:
    with pytest.raises(
        ConfigError, match=r"No such file or directory; programs are not looked up on PATH, give a path$"
    ):
        read(f"{ONE}mounted_binaries.curl = 'curl'")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "none.toml", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (Path("a\0b"), "embedded null byte"),
    ):
        with pytest.raises(LoadError) as caught:
            read_config(path)
        assert str(caught.value) == f"`{path}` can't be read: {reason}"
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"# \xe9")
    with pytest.raises(ConfigError, match=r"is not valid TOML: it is not UTF-8 text \(byte 2\)$"):
        read_config(latin)


def test_a_byte_order_mark_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "bom.toml"
    path.write_bytes(b"\xef\xbb\xbf" + ONE.encode())
    assert list(read_config(os.fspath(path)).modules) == ["m"]


def test_keys_of_older_versions_are_named_in_one_warning(read: Read, tmp_path: Path) -> None:
    text = f"""random_field = 1
service_base_dir = "/srv"
{MODULES}
[default]
mem_pages_count = 10
[[module]]
name = "m"
mem_pages_count = 100
max_heap_size = "1 GiB"
total_memory_limit = {{ any = "thing" }}
  [module.wasi]
  preopened_files = ["/tmp"]
[[module]]
name = "n"
random_field = 2
"""
    with pytest.warns(MarineWarning) as caught:
        found = read(text)
    assert found.config == ServiceConfig(None, {"m": ModuleConfig(), "n": ModuleConfig()})
    paths = ["random_field", "service_base_dir", "default.mem_pages_count"]
    paths += [f"module[0].{key}" for key in ("mem_pages_count", "max_heap_size", "total_memory_limit")]
    paths += ["module[0].wasi.preopened_files", "module[1].random_field"]
    listed = ", ".join(f"`{path}`" for path in paths)
    file = tmp_path / "service.toml"
    assert [str(item.message) for item in caught] == [f"`{file}`: keys of older versions have no effect: {listed}"]
    assert caught[0].filename == __file__


def test_files_without_a_memory_limit_are_unlimited(read: Read, tmp_path: Path) -> None:
    """As all were before December 2023."""
    with pytest.warns(MarineWarning, match=r"service.toml`: without `total_memory_limit` the service may") as seen:
        found = read('modules_dir = "."\n[[module]]\nname = "m"\n')
    assert len(seen) == 1
    assert found.config.total_memory_limit is None
