"""The build hook for each target, without hatchling around it; `tests/packaging` has both together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marine_gen.hatch.plugin import MarineGenHook
from tests.guests.descriptions import GUESTS_FOLDER

CONFIG = """\
total_memory_limit = "Infinity"
[[module]]
name = "greeting"
load_from = "greeting.wasm"
"""


class App:
    """Keeps what is displayed."""

    def __init__(self) -> None:
        self.info: list[str] = []
        self.warnings: list[str] = []

    def display_info(self, message: str) -> None:
        self.info.append(message)

    def display_warning(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "greeting.wasm").write_bytes((GUESTS_FOLDER / "greeting.wasm").read_bytes())
    (tmp_path / "service.toml").write_text(CONFIG)
    return tmp_path


def initialize(
    project: Path, target: str = "wheel", version: str = "standard", **table: Any
) -> tuple[App, dict[str, Any]]:
    app, data = App(), {"artifacts": []}
    table = {"services": [{"config": "service.toml", "package": "app/api"}], **table}
    hook: Any = MarineGenHook(str(project), table, None, None, str(project / "dist"), target, app)  # type: ignore[arg-type]
    hook.initialize(version, data)
    return app, data


def test_a_wheel_gets_every_file(project: Path) -> None:
    app, data = initialize(project)
    written = {f"/app/api/{path.name}" for path in (project / "app" / "api").iterdir()}
    assert set(data.pop("artifacts")) == written
    assert data == {}
    assert (app.info, app.warnings) == (["marine-gen: built app/api"], [])
    assert initialize(project)[0].info == ["marine-gen: unchanged app/api"]


@pytest.mark.parametrize(("version", "tagged"), [("standard", True), ("editable", False)])
def test_native_wheels_have_a_tag_and_editable_ones_need_none(project: Path, version: str, tagged: bool) -> None:
    _, data = initialize(project, version=version, native=True)
    assert any(name.endswith(".cwasm") for name in data["artifacts"])
    assert ("tag" in data) == ("pure_python" in data) == tagged
    if tagged:
        assert data["tag"].startswith("py3-none-")
        assert not data["pure_python"]


def test_a_source_distribution_gets_nothing(project: Path) -> None:
    app, data = initialize(project, target="sdist")
    assert (app.info, data) == ([], {"artifacts": []})
    assert not (project / "app").exists()


def test_paths_of_this_machine_are_warned_of(project: Path) -> None:
    (project / "service.toml").write_text(CONFIG + '[module.wasi]\nmapped_dirs = { "site" = "site" }\n')
    (project / "site").mkdir()
    app, _ = initialize(project)
    assert app.warnings == [
        "marine-gen: `app/api` refers to mapped directories by the paths of this machine; "
        "on other machines, pass other settings to `load(config=…)`"
    ]
