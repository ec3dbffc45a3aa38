"""The configuration tests of Marine, from a file to a call, and the environment that modules get."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import marine_gen
from marine_gen.generate import Named, Vector
from marine_runtime import ConfigError, MarineWarning, ModuleConfig, Service, ServiceConfig
from marine_runtime.host.mounted_binary import RESULT
from marine_runtime.types import Prim
from tests.support.echo import function
from tests.support.engines import Configuration, guest, shown
from tests.support.host_calls import calling, declarations
from tests.support.wasi import Player, wasi_guest

pytestmark = [pytest.mark.host_side, pytest.mark.costly]

Start = Callable[..., Service]


@pytest.fixture
def start(configuration: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Loads the text of a configuration file in a directory that is not the current one."""
    services: list[Service] = []
    place, elsewhere = tmp_path / "service", tmp_path / "elsewhere"
    place.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.delenv("WASM_LOG", raising=False)

    def make(text: str, **options: Any) -> Service:
        (place / "Config.toml").write_text(f'total_memory_limit = "10 MiB"\n{text}', "utf-8")
        options = {"engine": configuration.engine, "call_layer": configuration.call_layer, **options}
        services.append(marine_gen.load(place / "Config.toml", **options))
        return services[-1]

    yield make
    for service in services:
        service.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The directory of the configuration."""
    return tmp_path / "service"


def put(folder: Path, name: str, content: bytes) -> Path:
    """A file in a new or old directory."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


SWAMP = '[[module]]\nname = "donkey"\n{}\n[[module]]\nname = "shrek"\n'


def greets(service: Service) -> None:
    """The importer reaches the imported module."""
    assert service.call("shrek", "greeting", ["x"]) == ["Shrek: hi, x", "Donkey: hi, x"]


def test_modules_come_from_the_modules_directory(start: Start, place: Path) -> None:
    put(place / "lib", "donkey_renamed.wasm", guest("donkey"))
    put(place / "lib", "shrek.wasm", guest("shrek"))
    text = 'modules_dir = "lib"\n' + SWAMP.format('file_name = "donkey_renamed.wasm"\nrandom_field = [5]')
    with pytest.warns(MarineWarning, match=r"keys of older versions have no effect: `module\[0\].random_field`"):
        service = start(text)
    greets(service)


def test_modules_come_from_a_directory_of_their_own(start: Start, place: Path) -> None:
    put(place / "lib", "shrek.wasm", guest("shrek"))
    put(place / "other", "donkey_renamed.wasm", guest("donkey"))
    text = 'modules_dir = "lib"\n' + SWAMP.format('load_from = "other"\nfile_name = "donkey_renamed.wasm"')
    greets(start(text))


def test_modules_come_from_a_file_of_their_own(start: Start, place: Path) -> None:
    put(place / "lib", "shrek.wasm", guest("shrek"))
    path = put(place / "other", "donkey_renamed.wasm", guest("donkey"))
    greets(start('modules_dir = "lib"\n' + SWAMP.format(f'load_from = "{path}"')))


def test_a_mapped_directory_is_read(start: Start, place: Path) -> None:
    put(place / "files", "some_file", b"some data\n")
    put(place, "m.wasm", wasi_guest())
    text = 'modules_dir = "."\n[[module]]\nname = "m"\n[module.wasi]\nmapped_dirs = { "some_dir" = "./files" }\n'
    with pytest.warns(MarineWarning, match="`module.0..wasi.preopened_files`"):
        guest = Player(start(text + 'preopened_files = ["/some/thing"]'), "m")
    assert guest.preopens() == {3: "some_dir"}
    assert guest.read(guest.open(3, "some_file")) == b"some data\n"


@pytest.mark.parametrize("path", ["{place}", "made/../made", "../service/made"])
def test_absolute_aliases_and_every_path_are_allowed(start: Start, place: Path, path: str) -> None:
    put(place, "m.wasm", wasi_guest())
    (place / "made").mkdir()
    text = 'modules_dir = "."\n[[module]]\nname = "m"\nwasi.mapped_dirs = {{ "/abs" = "{}" }}'
    guest = Player(start(text.format(path.format(place=place))), "m")
    assert guest.preopens() == {3: "/abs"}
    assert guest.open(3, "new", 1, write=True) == 4
    assert (place / "new").exists() or (place / "made" / "new").exists()


def test_the_working_directory_is_where_mapped_directories_start(start: Start, place: Path) -> None:
    put(place, "m.wasm", wasi_guest())
    text = 'modules_dir = "."\nservice_working_dir = "state"\n[[module]]\nname = "m"\nwasi.mapped_dirs.d = "a/b"'
    guest = Player(start(text), "m")
    assert (place / "state" / "a" / "b").is_dir()
    assert guest.environment() == [f"d={place / 'state' / 'a' / 'b'}"]


def test_paths_of_embedders_are_used_as_they_are(start: Start, place: Path) -> None:
    """They start at the current directory, and the module's variable is what was written, dots included."""
    put(place, "m.wasm", wasi_guest())
    config = ServiceConfig(modules={"m": ModuleConfig(mapped_dirs={"d": "././sites"})})
    guest = Player(start('modules_dir = "."\n[[module]]\nname = "m"', config=config), "m")
    assert Path("sites").is_dir()
    assert guest.environment() == ["d=././sites"]


def test_a_directory_that_can_not_be_made(start: Start, place: Path) -> None:
    put(place, "m.wasm", wasi_guest())
    with pytest.raises(ConfigError, match=r"Config.toml/d`, mapped as `d`, can't be created: Not a directory$"):
        start('modules_dir = "."\n[[module]]\nname = "m"\nwasi.mapped_dirs.d = "Config.toml/d"')


def test_composition_of_the_environment(start: Start, place: Path) -> None:
    """A module's variables, over them those of the embedder and `service_id`, over them one for each directory."""
    for name in ("m", "n"):
        put(place, f"{name}.wasm", wasi_guest())
    own = {"A": "module", "B": "module", "service_id": "module", "d": "module"}
    config = ServiceConfig(
        modules={"m": ModuleConfig(envs=own, mapped_dirs={"d": str(place)})},
        envs={"B": "service", "d": "service", "C": "service"},
        service_id="7",
    )
    service = start('modules_dir = "."\n[[module]]\nname = "m"\n[[module]]\nname = "n"', config=config)
    common = ("B=service", "C=service", "service_id=7")
    assert set(Player(service, "m").environment()) == {*common, "A=module", f"d={place}"}
    assert set(Player(service, "n").environment()) == {*common, "d=service"}
    assert dict(service.wasi["m"].envs)["service_id"] == "7"


def test_every_setting_of_a_file_reaches_its_module(
    start: Start, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From the text to what guests do: the programs, the log, the environment and the budget."""
    program = calling(
        function("f", Vector(Prim.STRING), result=Named(RESULT.name)), declarations({0: RESULT}), "host", "tool"
    )
    for name, module in (("runner", program), ("logger", guest("logger")), ("wasi", wasi_guest())):
        put(place, f"{name}.wasm", module)
    put(place / "bin", "tool", b'#!/bin/sh\necho "$@"; exit 3\n').chmod(0o755)
    service = start("""modules_dir = "."
[default]
logging_mask = 2
wasi.envs.COMMON = "default"
[[module]]
name = "runner"
logger_enabled = false
mounted_binaries.tool = "bin/tool"
[[module]]
name = "logger"
[[module]]
name = "wasi"
wasi.envs.OWN = "own"
""")
    assert shown(service.call("runner", "f", [["a", "b c"]])) == shown((3, "", b"a b c\n", b""))
    with caplog.at_level(logging.INFO, "logger"):
        for target in (0, 1, 2, 3):
            service.call("logger", "log_line", [3, target, str(target)])
    assert caplog.messages == ["0", "2", "3"]
    assert Player(service, "wasi").environment() == ["COMMON=default", "OWN=own"]
    assert service.statistics().limit == 10 << 20


@pytest.mark.parametrize(
    ("limit", "found"), [('"Infinity"', None), ("8388608", 8 << 20), ('"8 MiB"', 8 << 20), ('"7.5 mb"', 7500000)]
)
def test_the_budget_of_a_file(configuration: Configuration, tmp_path: Path, limit: str, found: int | None) -> None:
    put(tmp_path, "greeting.wasm", guest("greeting"))
    path = put(
        tmp_path,
        "service.toml",
        f'total_memory_limit = {limit}\nmodules_dir = "."\n[[module]]\nname = "greeting"'.encode(),
    )
    with marine_gen.load(path, engine=configuration.engine, call_layer=configuration.call_layer) as service:
        assert service.statistics().limit == found
        assert service.call("greeting", "greeting", ["x"]) == "Hi, x"


@pytest.mark.parametrize(
    ("variable", "levels"),
    [
        (None, ["WARN", None]),
        ("debug", ["WARN", "DEBUG"]),
        ("m=trace,OFF", ["TRACE", "off"]),
        ("n", ["WARN", "TRACE"]),
        ("m=,n= error ", ["TRACE", "ERROR"]),
    ],
)
def test_the_log_level_of_the_host_reaches_modules(
    start: Start, place: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None, levels: list[str | None]
) -> None:
    """`WASM_LOG` is in the environment of a module also when its configuration has variables."""
    for name in ("m", "n"):
        put(place, f"{name}.wasm", wasi_guest())
    if variable is not None:
        monkeypatch.setenv("WASM_LOG", variable)
    service = start('modules_dir = "."\n[[module]]\nname = "m"\nwasi.envs.WASM_LOG = "WARN"\n[[module]]\nname = "n"')
    found = [dict(line.split("=", 1) for line in Player(service, name).environment()) for name in ("m", "n")]
    assert [item.get("WASM_LOG") for item in found] == levels
