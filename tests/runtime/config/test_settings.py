"""Settings reach a service from every kind of target, and what they ask of the host is done when it is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import marine_gen
import marine_runtime
from marine_gen.artifact import read_target
from marine_runtime import ConfigError, LoadError, ModuleConfig, ServiceConfig, read_config
from marine_runtime.artifact.manifest import MANIFEST
from tests.support.engines import Configuration, guest, guests

pytestmark = [pytest.mark.host_side, pytest.mark.costly]

OVERRIDE = ServiceConfig(7 << 20, {"donkey": ModuleConfig(envs={"A": "override"})}, service_id="x")


def write(folder: Path, settings: str = "") -> Path:
    """A service of two modules; `settings` are those of the second, shrek."""
    for name in ("donkey", "shrek"):
        (folder / f"{name}.wasm").write_bytes(guest(name))
    path = folder / "swamp.toml"
    path.write_text(
        'modules_dir = "."\ntotal_memory_limit = "10 MiB"\n[default]\nlogging_mask = 3\n'
        f'[[module]]\nname = "donkey"\n[[module]]\nname = "shrek"\n{settings}\n'
    )
    return path


def check(service: marine_gen.Service, config: ServiceConfig) -> None:
    """The service works and has these settings."""
    assert service.modules.shrek.greeting("x") == ["Shrek: hi, x", "Donkey: hi, x"]
    assert service.config == config


def test_settings_of_a_file(configuration: Configuration, tmp_path: Path) -> None:
    path = write(tmp_path, 'wasi = { envs = { "MODE" = "ü" }, mapped_dirs = { "sites" = "a/b/sites" } }')
    sites = tmp_path / "a" / "b" / "sites"
    shrek = ModuleConfig(logging_mask=3, envs={"MODE": "ü"}, mapped_dirs={"sites": str(sites)})
    wanted = ServiceConfig(10485760, {"donkey": ModuleConfig(logging_mask=3), "shrek": shrek})
    assert read_config(path).config == wanted
    assert not sites.exists()  # reading makes nothing
    options = {"engine": configuration.engine, "call_layer": configuration.call_layer}
    with marine_gen.load(path, **options) as service:
        check(service, wanted)
    assert sites.is_dir()
    with marine_gen.load(path, **options) as service:  # from the cache, with the directory already there
        check(service, wanted)
    with marine_gen.load(path, **options, cache=False, config=OVERRIDE) as service:
        check(service, OVERRIDE)
        assert service.config.module("donkey").envs == {"A": "override", "service_id": "x"}


def test_settings_travel_with_what_was_built(configuration: Configuration, tmp_path: Path) -> None:
    path = write(tmp_path, 'logger_enabled = false\nwasi.mapped_dirs.sites = "sites"')
    wanted = read_config(path).config
    built = tmp_path / "built"
    result = marine_gen.build(path, built)
    assert result.manifest.config == wanted
    document = json.loads((built / MANIFEST).read_text("utf-8"))
    assert document["options"] == wanted.to_json()
    assert document["options"]["modules"]["shrek"]["mapped_dirs"] == {"sites": str(tmp_path / "sites")}
    path.unlink()  # nothing is looked up there again
    options = {"engine": configuration.engine, "call_layer": configuration.call_layer}
    with marine_gen.load(built, **options) as service:
        check(service, wanted)
    with marine_gen.load(built, **options, config=OVERRIDE) as service:
        check(service, OVERRIDE)
    if configuration.engine != "interpreter":
        with marine_runtime.load(built, **options) as service:
            check(service, wanted)
        with marine_runtime.load(built, **options, config=OVERRIDE) as service:
            check(service, OVERRIDE)


def test_settings_are_part_of_the_key(tmp_path: Path) -> None:
    built = tmp_path / "built"
    assert not marine_gen.build(write(tmp_path), built).fresh
    assert marine_gen.build(write(tmp_path), built).fresh
    assert not marine_gen.build(write(tmp_path, "logger_enabled = false"), built).fresh


@pytest.mark.parametrize(
    ("options", "limit"),
    [({}, None), ({"total_memory_limit": "10 MiB"}, 10485760), ({"total_memory_limit": 5000000}, 5000000)],
)
def test_older_manifests_load(
    configuration: Configuration, tmp_path: Path, options: dict[str, object], limit: int | None
) -> None:
    built = tmp_path / "built"
    marine_gen.build(write(tmp_path), built)
    manifest = built / MANIFEST
    document = json.loads(manifest.read_text("utf-8")) | {"options": options}
    manifest.write_text(json.dumps(document), "utf-8")
    with marine_gen.load(built, engine=configuration.engine, call_layer=configuration.call_layer) as service:
        check(service, ServiceConfig(limit))


def test_a_manifest_with_wrong_options_is_refused(configuration: Configuration, tmp_path: Path) -> None:
    built = tmp_path / "built"
    marine_gen.build(write(tmp_path), built)
    manifest = built / MANIFEST
    document = json.loads(manifest.read_text("utf-8")) | {"options": {"modules": {"shrek": {"logging_mask": "x"}}}}
    manifest.write_text(json.dumps(document), "utf-8")
    with pytest.raises(LoadError) as caught:
        marine_gen.load(built, engine=configuration.engine, call_layer=configuration.call_layer)
    reason = "`logging_mask` must be an integer, not a string; build again"
    assert str(caught.value) == f"the options in manifest.json of service `swamp` can't be used: {reason}"


def test_targets_without_a_file_have_the_defaults(configuration: Configuration) -> None:
    options = {"engine": configuration.engine, "call_layer": configuration.call_layer}
    with marine_gen.load(guests("donkey", "shrek"), **options) as service:
        check(service, ServiceConfig())
    with marine_gen.load(guests("donkey", "shrek"), **options, config=OVERRIDE) as service:
        check(service, OVERRIDE)


def test_settings_of_an_unknown_module_are_refused(configuration: Configuration) -> None:
    config = ServiceConfig(modules={"shrekk": ModuleConfig()})
    with pytest.raises(ConfigError) as caught:
        marine_gen.load(
            guests("donkey", "shrek"), engine=configuration.engine, call_layer=configuration.call_layer, config=config
        )
    assert str(caught.value) == (
        "the configuration has settings of module `shrekk`; did you mean `shrek`? (modules are: `donkey`, `shrek`)"
    )


def test_programs_are_looked_for_when_they_are_run(configuration: Configuration, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    path = write(tmp_path, f'mounted_binaries.tool = "{tool}"')
    options = {"engine": configuration.engine, "call_layer": configuration.call_layer}
    marine_gen.build(path, tmp_path / "built")  # for another machine, perhaps
    for target in (path, tmp_path / "built"):
        with marine_gen.load(target, **options) as service:
            assert service.config.module("shrek").mounted_binaries == {"tool": str(tool)}


def test_directories_that_cannot_be_made(configuration: Configuration, tmp_path: Path) -> None:
    for place, reason in (("swamp.toml", "File exists"), ("swamp.toml/sub", "Not a directory")):
        path = write(tmp_path, f'wasi.mapped_dirs.sites = "{place}"')
        with pytest.raises(ConfigError) as caught:
            marine_gen.load(path, engine=configuration.engine, call_layer=configuration.call_layer)
        where = f"module `shrek`: the directory `{tmp_path / place}`, mapped as `sites`, can't be created"
        assert str(caught.value) == f"{where}: {reason}"


def test_module_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = write(tmp_path, 'file_name = "none.wasm"')
    with pytest.raises(LoadError) as caught:
        read_target(path)
    reason = f"`{tmp_path / 'none.wasm'}` can't be read: No such file or directory"
    assert str(caught.value) == f"`{path}`, module `shrek`: {reason}"
    write(tmp_path, 'file_name = "../../../../../../../../../dev/zero"')
    with pytest.raises(LoadError, match=r"zero` is not a file$"):
        read_target(path)
