"""`build` into a directory that Python can't import says so, with a name that it can."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from marine_gen.cli import cli
from tests.guests.descriptions import GUESTS_FOLDER


@pytest.mark.parametrize(
    ("name", "better"), [("class", "class_"), ("2fast", "_2fast"), ("my-svc.name", "my_svc_name"), ("fine", "")]
)
def test_the_name_of_a_package(name: str, better: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"{name}.wasm").write_bytes((GUESTS_FOLDER / "greeting.wasm").read_bytes())
    for words in ([], ["-o", name]):
        result = CliRunner().invoke(cli, ["build", f"{name}.wasm", "--portable", *words])
        assert result.exit_code == 0
        if better:
            assert f"`{name}` can't be imported as a Python package" in result.stderr
            assert f"a name such as `{better}` can be imported" in result.stderr
            assert better.isidentifier()
        else:
            assert result.stderr == ""
