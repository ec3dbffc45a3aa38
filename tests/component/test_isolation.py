"""One module of a component can't reach what belongs to another one, or to the host."""

from __future__ import annotations

from pathlib import Path

import wasmtime

from tests.component.attacks import (
    HOST_SECRET,
    SETTINGS,
    attacks,
    broken,
    check,
    directories,
    modules,
    untouched,
    whole,
)
from tests.component.test_wasi import configured
from tests.support.components import ComponentService


def test_attacks_in_the_python_package(tmp_path: Path) -> None:
    found = directories(tmp_path)
    (tmp_path / "input").write_text(HOST_SECRET)

    def wasi() -> wasmtime.WasiConfig:
        config = wasmtime.WasiConfig()
        config.env = [("HOST_SECRET", HOST_SECRET)]
        config.argv = [HOST_SECRET]
        config.stdin_file = str(tmp_path / "input")
        for name, path in found.items():
            config.preopen_dir(str(path), name)
        return config

    service = ComponentService(configured(modules(), SETTINGS), wasi=wasi)
    before = untouched(tmp_path)
    scripts, afterwards = attacks(), check()
    assert broken(scripts, [service.call("attack", [script.encoded()]) for script in scripts]) == []
    assert whole(afterwards.answers(service.call("check", [afterwards.encoded()])))
    assert untouched(tmp_path) == before
