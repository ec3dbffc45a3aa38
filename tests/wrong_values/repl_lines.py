"""Lines of the interactive loop with something wrong in them."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from marine_gen.cli import cli
from marine_gen.repl.registry import commands


def parameters() -> set[str]:
    """Every command, by its first name."""
    return {item.name for item in commands()}


def outcome(lines: str, folder: Path) -> str:
    """The answer of a session over one module to `lines`."""
    result = CliRunner().invoke(cli, ["repl", "-q", "--timeout", "30", "greeting.wasm"], input=f"{lines}\n")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    said = (result.stderr or result.stdout or "accepted").strip("\n")
    return said.replace(str(folder), "…")
