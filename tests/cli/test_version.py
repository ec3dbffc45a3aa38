"""The version, which is told before anything of the command line is imported."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from click.testing import CliRunner

from marine_gen import cli
from marine_gen.cli import app

_PROGRAM = """
import sys
from marine_gen.cli import main
try:
    main()
finally:
    print(*sorted({"click", "logging", "marine_runtime", "pathlib"} & set(sys.modules)))
"""


def test_the_version_needs_no_command_line() -> None:
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{_PROGRAM}", "--version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [CliRunner().invoke(app.cli, ["-V"]).stdout.strip(), ""]


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_what_cannot_be_written_is_told_as_ever(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    def main() -> None:
        raise SystemExit(7)

    monkeypatch.setattr(app, "main", main)
    monkeypatch.setattr(sys, "argv", ["marine-gen", option])
    for stdout, code in ((Full(), 7), (None, 7), (io.StringIO(), 0)):
        monkeypatch.setattr(sys, "stdout", stdout)
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert left.value.code == code


def test_the_group_is_an_export() -> None:
    assert cli.cli is app.cli
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cli.nothing
