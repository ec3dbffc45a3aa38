"""Command lines with something wrong in them, run in a folder with a bit of everything."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from marine_gen.cli import cli
from marine_gen.cli.app import COMMANDS
from marine_gen.console.report import say
from tests.guests.descriptions import GUESTS_FOLDER
from tests.support.engines import guest

FILES = {
    "service.toml": 'modules_dir = "."\ntotal_memory_limit = "Infinity"\n[[module]]\nname = "greeting"\n',
    "no-limit.toml": 'modules_dir = "."\n[[module]]\nname = "greeting"\n',
    "swamp.toml": 'modules_dir = "."\ntotal_memory_limit = "Infinity"\n[[module]]\nname = "donkey"\n'
    '[[module]]\nname = "shrek"\n',
    "service.yaml": "version: 0\n",
    "text.txt": "hello\n",
    "empty.wasm": "",
    "host.py": "host_functions = {}\n",
    "broken.py": "host_functions = {}\nraise ValueError('first\\nsecond')\n",
    "nothing.py": "",
    "number.py": "host_functions = 7\n",
    "asynchronous.py": "async def f():\n    pass\nhost_functions = {'f': f}\n",
    "blank": " \n",
    "wrong.toml": '[default]\nlogging = 1\n[[module]]\nnam = "greeting"\n',
    "service.conf": 'modules_dir = "."\n[[module]]\nname = "greeting"\n',
    "adapters": '(@interface it_version "0.28.0")\n',
    "source.c": "int f(void) { return 1; }\n",
}


@contextmanager
def sandbox(folder: Path) -> Iterator[None]:
    """Make `folder` the current directory, with files for the rows."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    for name in ("greeting", "shrek"):
        (folder / f"{name}.wasm").write_bytes(guest(name))
    for name in ("greeting.it", "greeting.idl"):
        (folder / name).write_bytes((GUESTS_FOLDER / name).read_bytes())
    for name in ("folder", "class", "folder.svg", "shared", "crate"):
        (folder / name).mkdir()
    (folder / "shared").chmod(0o777)
    (folder / "crate" / "Cargo.toml").write_text("")
    (folder / "folder" / "inside").write_text("")
    (folder / "donkey.wasm").write_bytes(guest("donkey"))
    (folder / "latin.txt").write_bytes("é".encode("latin-1") * 20)
    (folder / "2fast.wasm").write_bytes(guest("greeting"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NO_COLOR", "1")
        patch.delenv("MARINE_GEN_TOKEN", raising=False)
        _end_servers_at_once(patch)
        yield


def _end_servers_at_once(patch: pytest.MonkeyPatch) -> None:
    """Let servers end as soon as they have started, and leave the logs and the collector of this process alone."""
    import uvicorn

    async def nothing(self: object) -> None:
        """The place of the loop that waits for the end."""

    patch.setattr(uvicorn.Server, "main_loop", nothing)
    patch.setattr("marine_gen.serve.logs.configure", lambda *, as_json: None)
    patch.setattr("marine_gen.serve.application.logger", _Told())
    patch.setattr("gc.freeze", lambda: None)


class _Told:
    """The place of the server's logger."""

    def error(self, message: str, *values: object) -> None:
        """Say it, as the log would."""
        say(f"log: {message % values}")

    warning = info = exception = error


def outcome(line: str) -> str:
    """The text of a command line on stderr, or else on stdout, and its exit code."""
    result = CliRunner().invoke(cli, shlex.split(line), input="")
    assert result.exception is None or isinstance(result.exception, SystemExit), (line, result.exception)
    assert "Traceback" not in result.output, result.output
    said = re.sub(r"(?<=127.0.0.1:)\d+", "…", (result.stderr or result.stdout).strip("\n"))
    _, usage, error = said.rpartition("\n\nError: ")
    return f"{'Error: ' if usage else ''}{error if usage else said}\n[exit code {result.exit_code}]"


def parameters() -> set[str]:
    """Every parameter of every command, as `run --timeout`."""
    return {f"{path} {name}" for path, name in _parameters(cli, COMMANDS, "")}


def _parameters(group: click.Group, names: tuple[str, ...] | list[str], path: str) -> Iterator[tuple[str, str]]:
    context = click.Context(group)
    for name in names:
        command = group.get_command(context, name)
        assert command is not None
        here = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            yield from _parameters(command, command.list_commands(context), here)
            continue
        for item in command.params:
            yield here, max(item.opts, key=len) if isinstance(item, click.Option) else item.human_readable_name
