"""All commands of the interactive loop. A file in `commands` has one or more of them in its `COMMANDS`; `FILES` has the
order of the help.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module

from marine_gen.repl.command import Command

FILES = ("services", "calls", "inspect", "settings", "code", "bench", "trace", "general")
"""The files in `commands`."""

_WIDTH = 53  # of the column of usages in the help


@cache
def commands() -> Sequence[Command]:
    """All commands, in the order of the help."""
    return [item for file in FILES for item in import_module(f"marine_gen.repl.commands.{file}").COMMANDS]


@cache
def by_name() -> Mapping[str, Command]:
    """All commands by names and aliases."""
    return {name: item for item in commands() for name in item.names}


def help_text() -> str:
    """The list of commands, as `help` prints it."""
    lines = ["Commands:", ""]
    for item in commands():
        usage = item.usage + ("/Ctrl-D" if item.name == "quit" else "")
        lines.append(f"{usage:<{_WIDTH}} {item.summary}")
    lines += [
        "",
        "<args> and [call_params] should be in json; a value may go on in the next line while a bracket is open",
        "-nr before <args> leaves out the result",
    ]
    return "\n".join(lines)
